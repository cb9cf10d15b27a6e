#pragma once

// The same operations as operations.hpp has, in a kernel with ATCD_LANES > 1, on a vector. Lane by lane both
// give the same bits. A vector holds either one series a lane (a batch) or several averages of one series
// (a strip). Included by each kernel after ATCD_KERNEL names its namespace.

#include "engine/kernel.hpp"
#include "engine/operations.hpp"

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__) && ATCD_LANES == 2
#include <arm_neon.h>
#endif

namespace atcd::engine::ATCD_KERNEL {
namespace {

/// 1 where the relation is positive, -1 where it is negative, else `state`.
inline double side_or(double state, double relation) {
#if defined(__AVX__)
  // Written out, for a compiler makes branches of the other form.
  const __m128d r = _mm_set_sd(relation);
  const __m128d side = _mm_or_pd(_mm_and_pd(r, _mm_set_sd(-0.0)), _mm_set_sd(1));
  const __m128d stays = _mm_cmp_sd(r, _mm_setzero_pd(), _CMP_EQ_UQ);
  return _mm_cvtsd_f64(_mm_blendv_pd(side, _mm_set_sd(state), stays));
#endif
  return relation > 0.0 ? 1.0 : relation < 0.0 ? -1.0 : state;
}
/// 1 with the sign of a.
inline double sign_of(double a) { return __builtin_copysign(1, a); }
inline void transpose(double (&)[1]) {}
/// A condition that always holds.
struct Always {};
template <class T, class U>
inline T select(Always, T yes, U) {
  return yes;
}

#if ATCD_LANES > 1
typedef double Lanes __attribute__((vector_size(8 * ATCD_LANES)));
using LaneMask = decltype(Lanes{} < Lanes{});
inline Lanes select(LaneMask where, Lanes yes, Lanes no) { return where ? yes : no; }
#endif

// Without optimisation GCC's intrinsics with a mask are macros that do not keep our warnings.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
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
// max gives its second operand where one is undefined.
inline Lanes at_least(Lanes floor, Lanes a) { return _mm512_maskz_max_pd(0xff, floor, a); }
inline Lanes at_least_or_floor(Lanes a, Lanes floor) { return _mm512_maskz_max_pd(0xff, a, floor); }
inline bool any(LaneMask where) {
  return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(where), reinterpret_cast<__m512i>(where)) != 0;
}
inline Lanes load_lanes(const double* from) { return _mm512_loadu_pd(from); }
inline void store_lanes(double* to, Lanes a) { _mm512_storeu_pd(to, a); }
// Two loads and a choice: quicker than eight values one by one.
inline Lanes pick_lanes(const double* values, const std::int64_t* at, std::int64_t least) {
  const __m512i from_least = _mm512_loadu_si512(at) - _mm512_set1_epi64(least);
  return _mm512_permutex2var_pd(_mm512_loadu_pd(values + least), from_least,
                                _mm512_loadu_pd(values + least + 8));
}
/// 1 where the relation is positive, -1 where it is negative, else `state`.
inline Lanes side_or(Lanes state, Lanes relation) {
  // What each class of the relation gives, 4 bits each, from the highest: positive 1 (0xa), negative -1 (9),
  // infinite likewise, one 1; zero and undefined: as it was (0).
  return _mm512_fixupimm_pd(state, relation, _mm512_set1_epi64(0xa9a9a000), 0);
}
/// Rows become columns.
inline void transpose(Lanes (&m)[8]) {
  Lanes pairs[8], quads[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm512_maskz_unpacklo_pd(0xff, m[i], m[i + 1]);
    pairs[i + 1] = _mm512_maskz_unpackhi_pd(0xff, m[i], m[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int k = 0; k < 2; ++k) {
      quads[i + k] = _mm512_maskz_shuffle_f64x2(0xff, pairs[i + k], pairs[i + k + 2], 0x88);
      quads[i + k + 2] = _mm512_maskz_shuffle_f64x2(0xff, pairs[i + k], pairs[i + k + 2], 0xdd);
    }
  }
  for (int k = 0; k < 4; ++k) {
    m[k] = _mm512_maskz_shuffle_f64x2(0xff, quads[k], quads[k + 4], 0x88);
    m[k + 4] = _mm512_maskz_shuffle_f64x2(0xff, quads[k], quads[k + 4], 0xdd);
  }
}
/// The same of six rows; the last two values of every column are 0.
inline void transpose_families(Lanes (&m)[8]) {
  // Of the first operand's halves a value pair each, and one of the second operand.
  const auto choose = [](Lanes four, Lanes two, long long half, long long pair) {
    const __m512i at = _mm512_setr_epi64(half, half + 1, half + 4, half + 5, pair + 8, pair + 9, 0, 0);
    return _mm512_maskz_permutex2var_pd(0x3f, four, at, two);
  };
  Lanes columns[8];
  for (int odd = 0; odd < 2; ++odd) {
    const auto pair_up = [&](int f) {
      return odd != 0 ? _mm512_maskz_unpackhi_pd(0xff, m[f], m[f + 1])
                      : _mm512_maskz_unpacklo_pd(0xff, m[f], m[f + 1]);
    };
    const Lanes first = pair_up(0), second = pair_up(2), third = pair_up(4);
    const Lanes even_pairs = _mm512_maskz_shuffle_f64x2(0xff, first, second, 0x88);
    const Lanes odd_pairs = _mm512_maskz_shuffle_f64x2(0xff, first, second, 0xdd);
    columns[odd] = choose(even_pairs, third, 0, 0);
    columns[odd + 2] = choose(odd_pairs, third, 0, 2);
    columns[odd + 4] = choose(even_pairs, third, 2, 4);
    columns[odd + 6] = choose(odd_pairs, third, 2, 6);
  }
  for (int i = 0; i < 8; ++i) m[i] = columns[i];
}
#elif ATCD_LANES == 4
inline Lanes sign_of(Lanes a) {
  return _mm256_or_pd(_mm256_and_pd(a, _mm256_set1_pd(-0.0)), _mm256_set1_pd(1));
}
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_pd(a, b, c); }
inline Lanes magnitude(Lanes a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
inline Lanes round_half_even(Lanes a) {
  return _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Lanes toward_zero(Lanes a) { return _mm256_round_pd(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
// max gives its second operand where one is undefined.
inline Lanes at_least(Lanes floor, Lanes a) { return _mm256_max_pd(floor, a); }
inline Lanes at_least_or_floor(Lanes a, Lanes floor) { return _mm256_max_pd(a, floor); }
inline bool any(LaneMask where) { return _mm256_movemask_pd(reinterpret_cast<__m256d>(where)) != 0; }
inline Lanes load_lanes(const double* from) { return _mm256_loadu_pd(from); }
inline void store_lanes(double* to, Lanes a) { _mm256_storeu_pd(to, a); }
inline Lanes pick_lanes(const double* values, const std::int64_t* at, std::int64_t) {
  return Lanes{values[at[0]], values[at[1]], values[at[2]], values[at[3]]};
}
/// 1 where the relation is positive, -1 where it is negative, else `state`.
inline Lanes side_or(Lanes state, Lanes relation) {
  const Lanes sign = _mm256_set1_pd(-0.0);
  const Lanes side = _mm256_or_pd(_mm256_and_pd(relation, sign), _mm256_set1_pd(1));
  return _mm256_blendv_pd(side, state, _mm256_cmp_pd(relation, _mm256_setzero_pd(), _CMP_EQ_UQ));
}
/// Rows become columns.
inline void transpose(Lanes (&m)[4]) {
  const Lanes low01 = _mm256_unpacklo_pd(m[0], m[1]), high01 = _mm256_unpackhi_pd(m[0], m[1]);
  const Lanes low23 = _mm256_unpacklo_pd(m[2], m[3]), high23 = _mm256_unpackhi_pd(m[2], m[3]);
  m[0] = _mm256_permute2f128_pd(low01, low23, 0x20);
  m[1] = _mm256_permute2f128_pd(high01, high23, 0x20);
  m[2] = _mm256_permute2f128_pd(low01, low23, 0x31);
  m[3] = _mm256_permute2f128_pd(high01, high23, 0x31);
}
inline void transpose_families(Lanes (&m)[4]) { transpose(m); }
#elif ATCD_LANES == 2
inline Lanes sign_of(Lanes a) { return vbslq_f64(vdupq_n_u64(std::uint64_t{1} << 63), a, vdupq_n_f64(1)); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return vfmaq_f64(c, a, b); }
inline Lanes magnitude(Lanes a) { return vabsq_f64(a); }
inline Lanes round_half_even(Lanes a) { return vrndnq_f64(a); }
inline Lanes toward_zero(Lanes a) { return vrndq_f64(a); }
inline Lanes at_least(Lanes floor, Lanes a) { return a < floor ? floor : a; }
inline Lanes at_least_or_floor(Lanes a, Lanes floor) { return a > floor ? a : floor; }
inline bool any(LaneMask where) { return (where[0] | where[1]) != 0; }
inline Lanes load_lanes(const double* from) { return vld1q_f64(from); }
inline void store_lanes(double* to, Lanes a) { vst1q_f64(to, a); }
inline Lanes pick_lanes(const double* values, const std::int64_t* at, std::int64_t) {
  return Lanes{values[at[0]], values[at[1]]};
}
/// 1 where the relation is positive, -1 where it is negative, else `state`.
inline Lanes side_or(Lanes state, Lanes relation) {
  const Lanes side = vbslq_f64(vdupq_n_u64(std::uint64_t{1} << 63), relation, vdupq_n_f64(1));
  return magnitude(relation) > 0.0 ? side : state;
}
/// Rows become columns.
inline void transpose(Lanes (&m)[2]) {
  const Lanes first = vzip1q_f64(m[0], m[1]);
  m[1] = vzip2q_f64(m[0], m[1]);
  m[0] = first;
}
inline void transpose_families(Lanes (&m)[2]) { transpose(m); }
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#if ATCD_LANES == 8
/// a, computed before it is chosen: a compiler would make the operation and the choice one, which would wait
/// for the mask.
inline Lanes beforehand(Lanes a) {
  asm("" : "+v"(a));
  return a;
}
/// a / b of the first six lanes, as four and two of them: half as long to wait for as all eight.
inline Lanes divide_families(Lanes a, Lanes b) {
  typedef double Four __attribute__((vector_size(32)));
  typedef double Two __attribute__((vector_size(16)));
  const Four four = __builtin_shufflevector(a, a, 0, 1, 2, 3) / __builtin_shufflevector(b, b, 0, 1, 2, 3);
  const Two two = __builtin_shufflevector(a, a, 4, 5) / __builtin_shufflevector(b, b, 4, 5);
  return __builtin_shufflevector(four, __builtin_shufflevector(two, two, 0, 1, -1, -1), 0, 1, 2, 3, 4, 5, 6,
                                 7);
}
#else
template <class T>
inline T beforehand(T a) {
  return a;
}
template <class T>
inline T divide_families(T a, T b) {
  return a / b;
}
#endif

#if ATCD_LANES > 1
inline Lanes add_exact_product(Lanes a, Lanes b, Lanes c) { return fma(a, b, c); }
inline Lanes fma(double a, Lanes b, Lanes c) { return fma(broadcast<Lanes>(a), b, c); }
inline Lanes fma(Lanes a, double b, double c) { return fma(a, broadcast<Lanes>(b), broadcast<Lanes>(c)); }
inline Lanes fma(Lanes a, double b, Lanes c) { return fma(a, broadcast<Lanes>(b), c); }
inline Lanes fma(Lanes a, Lanes b, double c) { return fma(a, b, broadcast<Lanes>(c)); }
inline Lanes select(LaneMask where, double yes, Lanes no) { return select(where, broadcast<Lanes>(yes), no); }
inline Lanes select(LaneMask where, Lanes yes, double no) { return select(where, yes, broadcast<Lanes>(no)); }
inline Lanes at_least(double floor, Lanes a) { return at_least(broadcast<Lanes>(floor), a); }
inline Lanes at_least_or_floor(Lanes a, double floor) {
  return at_least_or_floor(a, broadcast<Lanes>(floor));
}
#endif

/// What several averages of one series are computed in.
#if ATCD_LANES > 1
using Strip = Lanes;
#else
using Strip = double;
#endif

template <class T>
inline T load(const double* from) {
#if ATCD_LANES > 1
  if constexpr (sizeof(T) > sizeof(double)) return load_lanes(from);
#endif
  if constexpr (sizeof(T) == sizeof(double)) return *from;
}

inline void store(double* to, double a) { *to = a; }
#if ATCD_LANES > 1
inline void store(double* to, Lanes a) { store_lanes(to, a); }
#endif

/// Values at `at[0]`, `at[1]`, ... from `values`, all of them at `least` .. least+15.
template <class T>
inline T pick(const double* values, const std::int64_t* at, [[maybe_unused]] std::int64_t least) {
#if ATCD_LANES > 1
  if constexpr (sizeof(T) > sizeof(double)) return pick_lanes(values, at, least);
#endif
  if constexpr (sizeof(T) == sizeof(double)) return values[*at];
}

/// Calls body(T{}, i) for values i and following of the nine lengths: whole strips, then one by one.
template <class Body>
inline void over_lengths(const Body& body) {
  int i = 0;
#if ATCD_LANES > 1
  for (; i + ATCD_LANES <= kLengthCount; i += ATCD_LANES) body(Lanes{}, i);
#endif
  for (; i < kLengthCount; ++i) body(double{}, i);
}

/// Strips of a row of families.
constexpr int kRowStrips = ATCD_LANES > 1 ? kFamilyRoom / ATCD_LANES : kFamilyCount;

/// Value `at` of a row, a constant.
inline double value_of(const Strip (&row)[kRowStrips], int at) {
#if ATCD_LANES > 1
  return row[at / ATCD_LANES][at % ATCD_LANES];
#else
  return row[at];
#endif
}

/// The sum of a row's families, in their order. From the first on, not from 0: that is the same where none of
/// them is -0.
inline double sum_in_order(const Strip (&row)[kRowStrips]) {
  double sum = value_of(row, 0);
  for (int f = 1; f < kFamilyCount; ++f) sum += value_of(row, f);
  return sum;
}

template <class V, unsigned long count>
inline void fill(V (&values)[count], V value) {
  for (unsigned long i = 0; i < count; ++i) values[i] = value;
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
