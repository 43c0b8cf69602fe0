#include "statistics.h"

#include <algorithm>
#include <cstddef>

namespace knetsim::report {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double mann_whitney(const std::vector<double>& earlier, const std::vector<double>& later) {
  struct Item {
    double value;
    bool late;
  };
  std::vector<Item> items;
  for (const double value : earlier) items.push_back({value, false});
  for (const double value : later) items.push_back({value, true});
  if (earlier.empty() || later.empty()) return 1;
  std::sort(items.begin(), items.end(), [](const Item& one, const Item& other) { return one.value < other.value; });

  // Twice the rank, so that the shared rank of a tie is a whole number.
  std::vector<std::size_t> ranks(items.size());
  std::size_t observed = 0;
  for (std::size_t first = 0; first < items.size();) {
    auto last = first;
    while (last < items.size() && items[last].value == items[first].value) ++last;
    for (auto i = first; i < last; ++i) {
      ranks[i] = first + last + 1;
      if (items[i].late) observed += ranks[i];
    }
    first = last;
  }

  // ways[k][s]: how many choices of k items have ranks that sum up to s.
  const auto most = 2 * items.size() * later.size();
  std::vector<std::vector<double>> ways(later.size() + 1, std::vector<double>(most + 1, 0));
  ways[0][0] = 1;
  for (const auto rank : ranks)
    for (auto k = later.size(); k > 0; --k)
      for (auto sum = most; sum >= rank; --sum) ways[k][sum] += ways[k - 1][sum - rank];
  double all = 0;
  double as_high = 0;
  for (std::size_t sum = 0; sum <= most; ++sum) {
    all += ways[later.size()][sum];
    if (sum >= observed) as_high += ways[later.size()][sum];
  }
  return as_high / all;
}

}  // namespace knetsim::report
