#pragma once

#include <cstdint>

namespace atcd::engine {

/// exp(y) by exactly specified operations (additions, multiplications, divisions and fused multiply-adds of
/// doubles), so that every machine has the same bits: libm's differ. Computed to about 95 bits and rounded
/// once: correctly rounded in practice. 0 below -745.2, infinite above 709.8; NaN gives NaN.
double exact_exp(double y);

/// The factor of a bar's return `bars_since_cutout` bars after the first equity: exp(lambda * k), where
/// lambda is per bar (the parameter over 1000) and lambda * k is rounded once. 1 for k < 0, which no equity
/// uses.
double growth_factor(double lambda_per_bar, std::int64_t bars_since_cutout);

}  // namespace atcd::engine
