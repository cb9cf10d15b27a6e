#pragma once

// The few operations that the definition uses, on a double: on the host and, compiled by nvcc, on the device.
// All are IEEE operations, rounded once, so both give the same bits. Included by each kernel after
// ATCD_KERNEL names its namespace.

/// Before a function that the device may call too.
#if defined(__CUDACC__)
#define ATC_HOST_DEVICE __host__ __device__
#else
#define ATC_HOST_DEVICE
#endif

namespace atcd::engine::ATCD_KERNEL {
namespace {

#if defined(__CUDACC__)
ATC_HOST_DEVICE inline double fma(double a, double b, double c) { return ::fma(a, b, c); }
ATC_HOST_DEVICE inline double magnitude(double a) { return ::fabs(a); }
ATC_HOST_DEVICE inline double round_half_even(double a) { return ::rint(a); }
ATC_HOST_DEVICE inline double toward_zero(double a) { return ::trunc(a); }
ATC_HOST_DEVICE inline double undefined() { return ::nan(""); }
#else
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline double magnitude(double a) { return __builtin_fabs(a); }
inline double round_half_even(double a) { return __builtin_nearbyint(a); }
inline double toward_zero(double a) { return __builtin_trunc(a); }
inline double undefined() { return __builtin_nan(""); }
#endif
/// a*b+c where the product is known to be exact: the same bits with one rounding or two, so without the call
/// that a fused operation is where the processor may have none.
ATC_HOST_DEVICE inline double add_exact_product(double a, double b, double c) {
#if defined(__FMA__) || defined(__aarch64__) || defined(__CUDA_ARCH__)
  return fma(a, b, c);
#else
  return a * b + c;
#endif
}
ATC_HOST_DEVICE inline double select(bool where, double yes, double no) { return where ? yes : no; }
/// a, but not below the floor; undefined stays undefined.
ATC_HOST_DEVICE inline double at_least(double floor, double a) { return a < floor ? floor : a; }
/// a, but not below the floor; the floor where a is undefined.
ATC_HOST_DEVICE inline double at_least_or_floor(double a, double floor) { return a > floor ? a : floor; }
ATC_HOST_DEVICE inline bool any(bool where) { return where; }
ATC_HOST_DEVICE inline bool is_undefined(double a) { return a != a; }

template <class V>
ATC_HOST_DEVICE inline V broadcast(double a) {
  return a - V{};  // a - 0 keeps the sign of a zero
}

}  // namespace
}  // namespace atcd::engine::ATCD_KERNEL
