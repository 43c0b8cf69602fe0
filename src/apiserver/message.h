#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "query.h"

namespace knetsim::apiserver {

class EventStream;

struct Request {
  std::string method;  ///< "GET"
  std::string path;    ///< still encoded, without the query
  Query query;
  std::string accept;
  std::string content_type;
  std::string if_none_match;
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::shared_ptr<EventStream> stream = {};  ///< its events are the body, as they come
};

}  // namespace knetsim::apiserver
