#include <math.h>
typedef struct { float mass, length, k, g; int n; } Config;
static float square(float x) { return x * x; }
float c_primal(float *q, float *p, Config c) {
    float K = 0;
    for (int i = 0; i < 2 * c.n; i++) K += 0.5f * p[i] * p[i] / c.mass;
    float U = 0;
    for (int i = 0; i < c.n - 1; i++) {
        float tmp = sqrtf(square(q[2 * i] - q[2 * i + 2]) + square(q[2 * i + 1] - q[2 * i + 3])) - c.length;
        U += 0.5f * c.k * tmp * tmp;
    }
    for (int i = 0; i < c.n; i++) U += c.mass * c.g * q[2 * i + 1];
    return K + U;
}
