#include "feeds/link.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace atcd::feeds {

using std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kLongestAnswer{10};

}  // namespace

Link::Link(boost::asio::io_context& io, const Exchange& exchange, ConnectionOptions options,
           std::uint64_t number, LinkHandler& handler, FeedCounters& counters)
    : exchange_(exchange),
      parser_(exchange.new_parser()),
      handler_(&handler),
      counters_(counters),
      number_(number),
      pace_(io),
      patience_(io),
      connection_(
          std::make_unique<Connection>(io, std::move(options), static_cast<ConnectionHandler&>(*this))) {}

void Link::subscribe(StreamIndex stream, const StreamName& name) {
  to_subscribe_.push_back({stream, name});
  --data_beyond_first_;
  schedule();
}

void Link::unsubscribe(StreamIndex stream, const StreamName& name) {
  const auto is_it = [stream](const Entry& entry) { return entry.stream == stream; };
  if (std::erase_if(to_subscribe_, is_it) > 0) return;
  bool asked = carried_.erase(stream) > 0;
  for (Request& again : again_) asked = std::erase_if(again.entries, is_it) > 0 || asked;
  std::erase_if(again_, [](const Request& again) { return again.entries.empty(); });
  for (const auto& each : waiting_) {
    asked = asked || std::any_of(each.second.entries.begin(), each.second.entries.end(), is_it);
  }
  if (!open_ || !asked) return;  // what was refused needs no end
  to_unsubscribe_.push_back({stream, name});
  schedule();
}

void Link::retire() {
  handler_ = nullptr;
  connection_.reset();
  pace_.cancel();
  patience_.cancel();
}

bool Link::subscribing() const {
  return !to_subscribe_.empty() || !again_.empty() ||
         std::any_of(waiting_.begin(), waiting_.end(),
                     [](const auto& each) { return each.second.subscribes; });
}

void Link::on_open() {
  open_ = true;
  opened_at_ = steady_clock::now();
  ++counters_.connects;
  const auto self = shared_from_this();
  handler_->on_link_open(*this);
  if (handler_ != nullptr) schedule();
}

// Requests leave from the timer, so that streams added one by one in one go share a request.
void Link::schedule() {
  if (!open_ || scheduled_ || handler_ == nullptr) return;
  if (to_unsubscribe_.empty() && to_subscribe_.empty() && again_.empty()) return;
  scheduled_ = true;
  if (pace_.expiry() < steady_clock::now()) pace_.expires_at(steady_clock::now());
  pace_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto self = weak.lock()) self->send_next();
  });
}

void Link::send_next() {
  scheduled_ = false;
  if (handler_ == nullptr) return;
  if (auto request = next_request()) send(std::move(*request));
  pace_.expires_after(exchange_.request_spacing());
  schedule();
}

std::optional<Link::Request> Link::next_request() {
  // What is to end goes first: a stream that is subscribed anew is in both lists.
  if (to_unsubscribe_.empty() && !again_.empty()) {
    Request request = std::move(again_.front());
    again_.pop_front();
    return request;
  }
  Request request{to_unsubscribe_.empty(), {}, {}};
  std::deque<Entry>& from = request.subscribes ? to_subscribe_ : to_unsubscribe_;
  if (from.empty()) return std::nullopt;
  const auto count =
      std::min<std::size_t>(from.size(), std::max<std::size_t>(1, exchange_.streams_per_request()));
  const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
  request.entries.assign(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
  from.erase(from.begin(), end);
  return request;
}

void Link::send(Request request) {
  std::vector<StreamName> names;
  names.reserve(request.entries.size());
  for (const Entry& entry : request.entries) names.push_back(entry.name);
  const std::int64_t id = ++last_request_;
  connection_->send(request.subscribes ? exchange_.subscribe_text(names, id)
                                       : exchange_.unsubscribe_text(names, id));
  request.sent_at = steady_clock::now();
  request.answered = false;
  waiting_.emplace(id, std::move(request));
  if (waiting_.size() == 1) watch_answers();
}

/// An exchange that does not answer is not listening: the connection is given up.
void Link::watch_answers() {
  if (waiting_.empty()) return;
  patience_.expires_at(waiting_.begin()->second.sent_at + kLongestAnswer);
  patience_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->handler_ == nullptr || self->waiting_.empty()) return;
    if (self->waiting_.begin()->second.sent_at + kLongestAnswer > steady_clock::now())
      return self->watch_answers();
    self->oldest_left_unanswered();
  });
}

/// Who answers for others of the request does listen: what it is silent about is refused, alone.
void Link::oldest_left_unanswered() {
  const std::string silence = " was not answered within " + std::to_string(kLongestAnswer.count()) + " s";
  const auto oldest = waiting_.begin();
  if (!oldest->second.answered) return give_up("request " + std::to_string(oldest->first) + silence);
  const Request request = std::move(oldest->second);
  waiting_.erase(oldest);
  watch_answers();
  for (const Entry& entry : request.entries) {
    if (handler_ == nullptr) return;
    if (!request.subscribes) continue;
    ++counters_.refusals;
    handler_->on_link_refused(*this, entry.stream, "it" + silence + ", as others were");
  }
}

void Link::on_message(std::string_view message, std::int64_t received_us) {
  ++counters_.frames;
  counters_.bytes += message.size();
  counters_.last_frame_us = received_us_ = received_us;
  const auto self = shared_from_this();  // whoever is told may retire us
  const FrameResult result = parser_->parse(message, *this);
  if (handler_ == nullptr) return;
  switch (result.kind) {
    case FrameKind::klines:
    case FrameKind::trades:
    case FrameKind::pong:
      return;
    case FrameKind::ack:
      return taken(result);
    case FrameKind::refusal:
      return refused(result);
    case FrameKind::ping:
      return connection_->send(std::string(result.text));
    case FrameKind::closing:
      return handler_->on_link_closing(*this);
    case FrameKind::ignored:
      ++counters_.ignored;
      return;
    case FrameKind::malformed:
      ++counters_.malformed;
      return handler_->on_link_malformed(*this, message, result.text);
  }
}

void Link::on_kline(const Kline& kline) {
  ++counters_.klines;
  ++data_beyond_first_;
  if (handler_ != nullptr) handler_->on_link_kline(kline, received_us_);
}

void Link::on_trade(const Trade& trade) {
  ++counters_.trades;
  ++data_beyond_first_;
  if (handler_ != nullptr) handler_->on_link_trade(*this, trade, received_us_);
}

/// The oldest request that asked for it: answers come in the order of the requests.
Link::Waiting::iterator Link::asked(const FrameResult& answer) {
  if (!answer.stream.symbol.empty()) {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const auto& each) { return entry_of(each.second, answer.stream) != nullptr; });
  }
  // An answer without a number can only be told apart where one request waits.
  if (answer.request_id == 0 && waiting_.size() == 1) return waiting_.begin();
  return waiting_.find(answer.request_id);
}

const Link::Entry* Link::entry_of(const Request& request, const StreamView& stream) {
  const auto found = std::find_if(request.entries.begin(), request.entries.end(), [&](const Entry& entry) {
    return entry.name.symbol == stream.symbol && entry.name.interval == stream.interval;
  });
  return found == request.entries.end() ? nullptr : &*found;
}

/// What the answer is about: one stream of a request, or all that is left of it.
std::vector<Link::Entry> Link::take(Waiting::iterator request, const FrameResult& answer) {
  std::vector<Entry>& entries = request->second.entries;
  std::vector<Entry> taken;
  if (const Entry* entry =
          answer.stream.symbol.empty() ? nullptr : entry_of(request->second, answer.stream)) {
    taken.push_back(*entry);
    entries.erase(entries.begin() + (entry - entries.data()));
  } else {
    taken = std::move(entries);
    entries.clear();
  }
  request->second.answered = true;
  if (entries.empty()) waiting_.erase(request);
  watch_answers();
  return taken;
}

/// An answer may still come to what is to be asked for again.
std::optional<Link::Entry> Link::take_from_again(const FrameResult& answer) {
  for (auto request = again_.begin(); request != again_.end(); ++request) {
    const Entry* entry = entry_of(*request, answer.stream);
    if (entry == nullptr) continue;
    const Entry taken = *entry;
    request->entries.erase(request->entries.begin() + (entry - request->entries.data()));
    if (request->entries.empty()) again_.erase(request);
    return taken;
  }
  return std::nullopt;
}

void Link::taken(const FrameResult& answer) {
  const auto request = asked(answer);
  if (request == waiting_.end()) {
    const auto entry = take_from_again(answer);
    if (!entry) return;
    carried_.insert(entry->stream);
    return handler_->on_link_carries(*this, entry->stream);
  }
  const bool subscribes = request->second.subscribes;
  const std::vector<Entry> entries = take(request, answer);
  if (!subscribes) return;
  for (const Entry& entry : entries) carried_.insert(entry.stream);
  for (const Entry& entry : entries) {
    if (handler_ == nullptr) return;
    // Removed by whoever was told of the one before it.
    if (carries(entry.stream)) handler_->on_link_carries(*this, entry.stream);
  }
}

void Link::refused(const FrameResult& answer) {
  ++counters_.refusals;
  const auto request = asked(answer);
  if (request == waiting_.end()) {
    if (const auto entry = take_from_again(answer))
      handler_->on_link_refused(*this, entry->stream, answer.text);
    return;
  }
  const bool subscribes = request->second.subscribes;
  const std::int64_t number = request->first;
  std::vector<Entry> entries = take(request, answer);
  if (!subscribes) {
    waiting_.erase(number);  // whoever names one stream may say nothing of the others
    return watch_answers();
  }
  if (entries.size() == 1) {
    // An exchange that names the stream does not say what became of the others: those of which it does not
    // tell before are asked for again.
    if (const auto rest = waiting_.find(number); rest != waiting_.end()) {
      again_.push_back(std::move(rest->second));
      waiting_.erase(rest);
      watch_answers();
      schedule();
    }
    const StreamIndex stream = entries[0].stream;
    if (!answer.carried) return handler_->on_link_refused(*this, stream, answer.text);
    carried_.insert(stream);
    return handler_->on_link_carries(*this, stream);
  }
  const auto middle = entries.begin() + static_cast<std::ptrdiff_t>(entries.size() / 2);
  again_.push_back({true, {entries.begin(), middle}, {}});
  again_.push_back({true, {middle, entries.end()}, {}});
  schedule();
}

void Link::on_end(const ConnectionEnd& end) {
  if (handler_ == nullptr) return;
  if (open_) ++counters_.disconnects;
  if (end.message_refused) ++counters_.malformed;
  const auto self = shared_from_this();
  LinkHandler& handler = *handler_;
  retire();
  handler.on_link_end(*this, end);
}

}  // namespace atcd::feeds
