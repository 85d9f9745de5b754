float c_primal(float *x, int n) {
    float s = 0;
    for (int i = 0; i < n; i++) {
        float t = x[i];
        s = s + 0.5f + t * (1.2f + t * (-0.3f + t * (0.25f + t * (-0.1f + t * 0.05f))));
    }
    return s;
}
