#pragma once

#include <vector>

namespace knetsim::report {

double median(std::vector<double> values);

/// Mann and Whitney's U test, one-sided and exact: how likely ranks of `later` as high as these are, if `earlier` and
/// `later` are of one kind (1 if one is empty). Ties share their rank. Annals of Mathematical Statistics 18, 1947.
double mann_whitney(const std::vector<double>& earlier, const std::vector<double>& later);

}  // namespace knetsim::report
