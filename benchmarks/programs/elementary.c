#include <math.h>

float c_primal(float *x, int n) {
    float s = 0;
    for (int i = 0; i < n; i++)
        s = s + expf(-x[i] * x[i]) * cosf(3.0f * x[i]) + logf(1.0f + x[i]);
    return s;
}
