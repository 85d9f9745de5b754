#include <math.h>
typedef struct { float x, y, z; } Vec3;
typedef struct { Vec3 center; float radius; } Sphere;
static Vec3 vec(float x, float y, float z) { Vec3 v = {x, y, z}; return v; }
static Vec3 plus(Vec3 a, Vec3 b) { return vec(a.x + b.x, a.y + b.y, a.z + b.z); }
static Vec3 minus(Vec3 a, Vec3 b) { return vec(a.x - b.x, a.y - b.y, a.z - b.z); }
static Vec3 scaled(float k, Vec3 a) { return vec(k * a.x, k * a.y, k * a.z); }
static float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static Vec3 unit(Vec3 a) { return scaled(1.0f / sqrtf(dot(a, a)), a); }
static float distance(Sphere ball, Vec3 eye, Vec3 way) {
    Vec3 out = minus(eye, ball.center);
    float a = dot(way, way), half = dot(out, way);
    float rest = half * half - a * (dot(out, out) - ball.radius * ball.radius);
    return rest >= 0 ? (-half - sqrtf(rest)) / a : -1.0f;
}
static Vec3 color(Sphere ball, Vec3 eye, Vec3 way) {
    float far = distance(ball, eye, way);
    if (far > 0) {
        Vec3 normal = unit(minus(plus(eye, scaled(far, way)), ball.center));
        return scaled(0.5f, plus(normal, vec(1, 1, 1)));
    }
    float blend = 0.5f * way.y + 0.5f;
    return plus(scaled(1 - blend, vec(1, 1, 1)), scaled(blend, vec(0.5f, 0.7f, 1)));
}
void c_primal(Sphere ball, Vec3 eye, int w, int h, Vec3 *image) {
    float wide = 2.0f * w / h, du = wide / w, dv = 2.0f / h;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            Vec3 pixel = vec((x + 0.5f) * du - 0.5f * wide, 1 - (y + 0.5f) * dv, -1);
            image[w * y + x] = color(ball, eye, unit(pixel));
        }
}
