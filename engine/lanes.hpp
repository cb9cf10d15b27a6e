#pragma once

// The few operations that the definition uses, on a double and, in a kernel with ATCD_LANES > 1, on a vector
// with one series in each lane. Lane by lane both give the same bits. Included once by each kernel, after
// ATCD_KERNEL names its namespace.

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace atcd::engine::ATCD_KERNEL {
namespace {

inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline double select(bool where, double yes, double no) { return where ? yes : no; }
inline double magnitude(double a) { return __builtin_fabs(a); }
inline double round_half_even(double a) { return __builtin_nearbyint(a); }
inline double toward_zero(double a) { return __builtin_trunc(a); }

template <class V>
struct LaneCount {
  static constexpr int value = 1;
};

template <class V>
inline V broadcast(double a) {
  return a - V{};  // a - 0 keeps the sign of a zero
}

#if ATCD_LANES > 1
typedef double Lanes __attribute__((vector_size(8 * ATCD_LANES)));
using LaneMask = decltype(Lanes{} < Lanes{});

template <>
struct LaneCount<Lanes> {
  static constexpr int value = ATCD_LANES;
};

inline Lanes select(LaneMask where, Lanes yes, Lanes no) { return where ? yes : no; }
#endif

#if ATCD_LANES == 8
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_pd(a, b, c); }
inline Lanes magnitude(Lanes a) { return _mm512_abs_pd(a); }
inline Lanes round_half_even(Lanes a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Lanes toward_zero(Lanes a) {
  return _mm512_maskz_roundscale_pd(0xff, a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}
#elif ATCD_LANES == 4
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_pd(a, b, c); }
inline Lanes magnitude(Lanes a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
inline Lanes round_half_even(Lanes a) {
  return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Lanes toward_zero(Lanes a) { return _mm256_round_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
#endif

#if ATCD_LANES > 1
inline Lanes fma(double a, Lanes b, Lanes c) { return fma(broadcast<Lanes>(a), b, c); }
inline Lanes fma(Lanes a, double b, double c) { return fma(a, broadcast<Lanes>(b), broadcast<Lanes>(c)); }
inline Lanes select(LaneMask where, double yes, Lanes no) { return select(where, broadcast<Lanes>(yes), no); }
inline Lanes select(LaneMask where, double yes, double no) {
  return select(where, broadcast<Lanes>(yes), broadcast<Lanes>(no));
}
#endif

inline double undefined() { return __builtin_nan(""); }
inline bool is_undefined(double a) { return a != a; }

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL

// The loops over lengths and averages touch one element of each array at a time, so reading `in` and writing
// `out` may meet in one block.
#if defined(__GNUC__) && !defined(__clang__)
#define ATCD_INDEPENDENT _Pragma("GCC ivdep")
#else
#define ATCD_INDEPENDENT
#endif
