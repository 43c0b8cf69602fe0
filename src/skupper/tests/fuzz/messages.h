#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knetsim::skupper::fuzz {

/// A router's connection is given a whole message on a link: the first byte says on which kind of link, and whether the
/// delivery is settled, aborted, or comes in pieces; the others are the message. Throws std::logic_error if the
/// connection then neither has ended nor goes on.
void message_on_a_link(std::string_view bytes);

std::vector<std::string> message_seeds();

}  // namespace knetsim::skupper::fuzz
