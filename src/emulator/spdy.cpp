#include "spdy.h"

#include <zlib.h>

#include <array>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim::spdy {

namespace {

constexpr std::size_t kHead = 8;                     // bytes before each frame's content
constexpr std::size_t kLongestFrame = 1UL << 20;     // bytes; kubectl's are 32 KiB
constexpr std::size_t kLongestHeaders = 64UL << 10;  // bytes, inflated
constexpr std::uint32_t kControl = 0x8003'0000;      // version 3
constexpr std::uint8_t kLast = 1;                    // flag

enum Type : std::uint32_t { kSynStream = 1, kSynReply = 2, kRstStream = 3, kPing = 6, kGoAway = 7 };

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  if (at + 4 > bytes.size()) throw InputError("SPDY: a frame is too short");
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8U | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

std::string bytes_of(std::uint32_t number) {
  std::string bytes;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) bytes += static_cast<char>(number >> shift & 0xffU);
  return bytes;
}

std::string framed(std::uint32_t first, std::uint8_t flags, std::string_view content) {
  const auto size = static_cast<std::uint32_t>(content.size());
  return (bytes_of(first) + bytes_of(static_cast<std::uint32_t>(flags) << 24U | size)).append(content);
}

constexpr std::uint32_t kStreamBits = 0x7fff'ffff;

}  // namespace

std::string dictionary() {
  // Each with its length before it, then plain text.
  constexpr std::string_view kWords[] = {"options",
                                         "head",
                                         "post",
                                         "put",
                                         "delete",
                                         "trace",
                                         "accept",
                                         "accept-charset",
                                         "accept-encoding",
                                         "accept-language",
                                         "accept-ranges",
                                         "age",
                                         "allow",
                                         "authorization",
                                         "cache-control",
                                         "connection",
                                         "content-base",
                                         "content-encoding",
                                         "content-language",
                                         "content-length",
                                         "content-location",
                                         "content-md5",
                                         "content-range",
                                         "content-type",
                                         "date",
                                         "etag",
                                         "expect",
                                         "expires",
                                         "from",
                                         "host",
                                         "if-match",
                                         "if-modified-since",
                                         "if-none-match",
                                         "if-range",
                                         "if-unmodified-since",
                                         "last-modified",
                                         "location",
                                         "max-forwards",
                                         "pragma",
                                         "proxy-authenticate",
                                         "proxy-authorization",
                                         "range",
                                         "referer",
                                         "retry-after",
                                         "server",
                                         "te",
                                         "trailer",
                                         "transfer-encoding",
                                         "upgrade",
                                         "user-agent",
                                         "vary",
                                         "via",
                                         "warning",
                                         "www-authenticate",
                                         "method",
                                         "get",
                                         "status",
                                         "200 OK",
                                         "version",
                                         "HTTP/1.1",
                                         "url",
                                         "public",
                                         "set-cookie",
                                         "keep-alive",
                                         "origin"};
  std::string text;
  for (const auto word : kWords) text.append(bytes_of(static_cast<std::uint32_t>(word.size()))).append(word);
  return text +
         "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 "
         "Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 "
         "Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May "
         "Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, "
         "GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/"
         "javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
}

struct Reader::Inflater {
  z_stream stream{};

  Inflater() {
    if (::inflateInit(&stream) != Z_OK) throw Error("can't inflate headers of SPDY");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream); }

  std::string inflate(std::string_view block) {
    std::string text;
    std::array<char, 4'096> piece{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    stream.avail_in = static_cast<uInt>(block.size());
    for (;;) {
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      const int result = ::inflate(&stream, Z_SYNC_FLUSH);
      text.append(piece.data(), piece.size() - stream.avail_out);
      if (text.size() > kLongestHeaders) throw InputError("SPDY: headers are too long");
      if (result == Z_NEED_DICT) {
        const auto words = dictionary();
        if (::inflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(words.data()),
                                   static_cast<uInt>(words.size())) != Z_OK)
          throw InputError("SPDY: headers are compressed against another dictionary");
        continue;
      }
      if (result == Z_BUF_ERROR || (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) return text;
      if (result != Z_OK) throw InputError("SPDY: headers can't be inflated");
    }
  }
};

Reader::Reader() : inflater_(std::make_unique<Inflater>()) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

void Reader::take(std::string_view bytes) {
  // Whoever takes frames as they come leaves less than one of them.
  if (bytes_.size() > 2 * kLongestFrame) throw InputError("SPDY: too much at once");
  bytes_.append(bytes);
}

Headers Reader::headers_in(std::string_view block) {
  const auto text = inflater_->inflate(block);
  Headers headers;
  std::size_t at = 4;
  const auto word = [&] {
    const auto size = number_at(text, at);
    at += 4;
    if (size > text.size() - at) throw InputError("SPDY: a header is cut off");
    auto found = text.substr(at, size);
    at += size;
    return found;
  };
  for (auto left = number_at(text, 0); left > 0; --left) {
    auto name = word();
    headers[std::move(name)] = word();
  }
  return headers;
}

std::optional<Frame> Reader::next() {
  if (bytes_.size() < kHead) return std::nullopt;
  const auto first = number_at(bytes_, 0);
  const auto second = number_at(bytes_, 4);
  const std::size_t size = second & 0x00ff'ffffU;
  if (size > kLongestFrame) throw InputError("SPDY: a frame is too long");
  if (bytes_.size() < kHead + size) return std::nullopt;
  const auto whole = bytes_.substr(kHead, size);
  bytes_.erase(0, kHead + size);
  const std::string_view content = whole;
  Frame frame{.last = (second >> 24U & kLast) != 0};
  if ((first >> 31U) == 0) {
    frame.kind = Kind::data;
    frame.stream = first;
    frame.data = content;
    return frame;
  }
  if ((first & 0xffff'0000U) != kControl) throw InputError("SPDY: a frame of another version than 3");
  switch (first & 0xffffU) {
    case kSynStream: {
      constexpr std::size_t kBeforeHeaders = 10;
      frame.kind = Kind::syn_stream;
      frame.stream = number_at(content, 0) & kStreamBits;
      if (content.size() < kBeforeHeaders) throw InputError("SPDY: a frame is too short");
      frame.headers = headers_in(content.substr(kBeforeHeaders));
      break;
    }
    case kSynReply:
      frame.kind = Kind::syn_reply;
      frame.stream = number_at(content, 0) & kStreamBits;
      frame.headers = headers_in(content.substr(4));
      break;
    case kRstStream:
      frame.kind = Kind::reset;
      frame.stream = number_at(content, 0) & kStreamBits;
      frame.number = number_at(content, 4);
      break;
    case kPing:
      frame.kind = Kind::ping;
      frame.number = number_at(content, 0);
      break;
    case kGoAway:
      frame.kind = Kind::go_away;
      break;
    case 8:  // HEADERS: nobody sends them here, but what they say is compressed into what comes next
      frame.stream = number_at(content, 0) & kStreamBits;
      headers_in(content.substr(4));
      break;
    default:
      break;
  }
  return frame;
}

struct Writer::Deflater {
  z_stream stream{};

  Deflater() {
    const auto words = dictionary();
    if (::deflateInit(&stream, Z_BEST_SPEED) != Z_OK ||
        ::deflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(words.data()),
                               static_cast<uInt>(words.size())) != Z_OK)
      throw Error("can't deflate headers of SPDY");
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { ::deflateEnd(&stream); }

  std::string deflate(std::string_view text) {
    std::string block;
    std::array<char, 4'096> piece{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      ::deflate(&stream, Z_SYNC_FLUSH);
      block.append(piece.data(), piece.size() - stream.avail_out);
    } while (stream.avail_out == 0);
    return block;
  }
};

Writer::Writer() : deflater_(std::make_unique<Deflater>()) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

std::string Writer::block_of(const Headers& headers) {
  std::string text = bytes_of(static_cast<std::uint32_t>(headers.size()));
  for (const auto& [name, value] : headers)
    for (const auto& word : {name, value}) text.append(bytes_of(static_cast<std::uint32_t>(word.size()))).append(word);
  return deflater_->deflate(text);
}

std::string Writer::syn_stream(std::uint32_t stream, const Headers& headers, bool last) {
  constexpr std::size_t kNoAssociateNoPriority = 6;  // bytes
  return framed(kControl | kSynStream, last ? kLast : 0,
                bytes_of(stream) + std::string(kNoAssociateNoPriority, '\0') + block_of(headers));
}

std::string Writer::syn_reply(std::uint32_t stream, const Headers& headers) {
  return framed(kControl | kSynReply, 0, bytes_of(stream) + block_of(headers));
}

std::string Writer::data(std::uint32_t stream, std::string_view bytes, bool last) {
  return framed(stream & kStreamBits, last ? kLast : 0, bytes);
}

std::string Writer::reset(std::uint32_t stream, std::uint32_t why) {
  return framed(kControl | kRstStream, 0, bytes_of(stream) + bytes_of(why));
}

std::string Writer::ping(std::uint32_t id) { return framed(kControl | kPing, 0, bytes_of(id)); }

}  // namespace knetsim::spdy
