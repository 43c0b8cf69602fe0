#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>

#include "cache.h"
#include "knetsim/kube/allocate.h"

namespace knetsim::apiserver {

/// The cluster addresses and node ports that services have: those of the cache, which is all of them, and those that
/// are being given right now. Nothing else is stored, so that nothing can differ from the services themselves.
class Allocations : public Subscriber {
 public:
  Allocations(Cache& cache, kube::ServiceRanges ranges);
  ~Allocations() override;

  const kube::ServiceRanges& ranges() const noexcept { return ranges_; }

  /// What has been given to a service that isn't in the cache yet. To be kept until it is, or has failed.
  class Reservation {
   public:
    explicit Reservation(Allocations& allocations) : allocations_(&allocations) {}
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;
    ~Reservation() { release(); }
    /// Fills in what `service` ("shop/web" is its key) needs; gives back what was given before. Throws ApiError.
    void allocate(const std::string& key, nlohmann::json& service, const nlohmann::json* old);

   private:
    void release();
    Allocations* allocations_;
    std::string key_;
    kube::Holdings held_;
  };

  void see(const Change& change) override;
  void lose_track() override;

 private:
  using Port = std::pair<std::uint16_t, std::string>;
  /// The service of each holding, and how often it holds it: stored, and reserved.
  using Owners = std::map<std::string, int>;
  void hold(const std::string& key, const kube::Holdings& holdings, int count);

  Cache* cache_;
  kube::ServiceRanges ranges_;
  std::map<boost::asio::ip::address, Owners> addresses_;
  std::map<Port, Owners> ports_;
  std::map<std::string, kube::Holdings, std::less<>> stored_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace knetsim::apiserver
