#include <math.h>
float c_primal(float *x, float *y, float *z, float *m, int n) {
    float e = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            float dx = x[i] - x[j], dy = y[i] - y[j], dz = z[i] - z[j];
            e -= m[i] * m[j] / sqrtf(dx * dx + dy * dy + dz * dz + 0.01f);
        }
    return e;
}
