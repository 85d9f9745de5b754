void c_primal(float *x, int n, float w, float *y) {
    for (int i = 1; i < n - 1; i++)
        for (int j = 1; j < n - 1; j++)
            for (int k = 1; k < n - 1; k++) {
                int c = (i * n + j) * n + k;
                y[c] = x[c] + w * (x[c - 1] + x[c + 1] + x[c - n] + x[c + n] + x[c - n * n] + x[c + n * n] - 6.0f * x[c]);
            }
}
