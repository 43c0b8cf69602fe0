#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/apiserver/query.h"

namespace knetsim::apiserver {

class EventStream;
struct Relay;

struct Request {
  std::string method;  ///< "GET"
  std::string path;    ///< still encoded, without the query
  Query query;
  std::string accept;
  std::string content_type;
  std::string if_none_match;
  std::string user_agent;
  std::string authorization;  ///< what the client shows of itself: "Bearer eyJhb..."
  std::string upgrade;        ///< "websocket", "SPDY/3.1"; empty: none is asked for
  std::vector<std::pair<std::string, std::string>> upgrade_fields = {};  ///< Sec-WebSocket-..., X-Stream-...
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  std::shared_ptr<EventStream> stream = {};  ///< its events are the body, as they come
  std::shared_ptr<Relay> relay = {};         ///< it answers, and nothing of this is said
};

}  // namespace knetsim::apiserver
