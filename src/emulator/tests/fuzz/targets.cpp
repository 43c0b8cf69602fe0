#include "targets.h"

#include "../../kubelet_request.h"
#include "../../spdy.h"
#include "../../stream_frames.h"
#include "knetsim/kube/status.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubelet::fuzz {
namespace {

/// What a client of exec and attach says in one message of its WebSocket.
void stream_message(std::string_view text) {
  const auto message = stream_frames::read(text);
  if (message.data.size() > text.size()) throw std::logic_error("a message has grown");
}

/// What a client of port-forward says, in pieces of the first byte's size.
void spdy_bytes(std::string_view text) try {
  spdy::Reader reader;
  if (text.empty()) return;
  const std::size_t piece = 1U + static_cast<unsigned char>(text.front());
  for (text.remove_prefix(1); !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    reader.take(text.substr(0, piece));
    while (reader.next()) {
    }
  }
} catch (const InputError&) {
}

/// The first line of a request to a kubelet.
void request(std::string_view text) try { KubeletRequest::parse(text); } catch (const kube::ApiError&) {
}

}  // namespace

const std::map<std::string, std::function<void(std::string_view)>>& targets() {
  static const std::map<std::string, std::function<void(std::string_view)>> all{
      {"message", stream_message}, {"request", request}, {"spdy", spdy_bytes}};
  return all;
}

std::vector<std::string> seeds(const std::string& target) {
  if (target == "message")
    return {std::string("\0typed", 6), "\x04{\"Width\":80,\"Height\":24}", std::string("\xff\0", 2)};
  if (target == "request")
    return {"/exec/default/web/web?command=ls&command=-l&input=1&output=1&error=1&tty=1",
            "/containerLogs/default/web/web?follow=true&tailLines=10&limitBytes=100", "/portForward/default/web"};
  spdy::Writer writer;
  std::string said = "\x7f";
  said += writer.syn_stream(1, {{"streamtype", "error"}, {"port", "80"}, {"requestid", "0"}});
  said += spdy::Writer::data(1, {}, true);
  said += writer.syn_stream(3, {{"streamtype", "data"}, {"port", "80"}, {"requestid", "0"}});
  said += spdy::Writer::data(3, "GET / HTTP/1.1\r\n\r\n");
  return {said + spdy::Writer::ping(1) + spdy::Writer::reset(3, 5)};
}

}  // namespace knetsim::kubelet::fuzz
