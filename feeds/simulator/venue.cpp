#include "feeds/simulator/venue.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "feeds/json_text.hpp"
#include "feeds/simulator/told_source.hpp"

namespace atcd::feeds::simulator {
namespace {

// Between two pauses in which the sockets get their turn.
constexpr std::size_t kFramesAtOnce = 2000;
// A playback waits until a client has read so far, instead of cutting it.
constexpr std::size_t kPlaybackQueuedBytes = 1U << 20;
constexpr std::chrono::milliseconds kPlaybackPause{2};
// Clients subscribe in several requests: a playback begins when none has come for so long.
constexpr std::chrono::seconds kPlaybackLead{1};

std::int64_t utc_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::vector<MarketSymbol> checked(std::vector<MarketSymbol> symbols) {
  if (symbols.empty() || symbols.size() > kMaxSymbols)
    throw std::invalid_argument(std::to_string(symbols.size()) + " symbols: from 1 to " +
                                std::to_string(kMaxSymbols) + " can be simulated");
  std::set<std::string_view> names;
  for (const MarketSymbol& symbol : symbols) {
    if (!(symbol.price > 0 && symbol.price < 1e9) || symbol.tick_e8 < 1 || symbol.lot_e8 < 1)
      throw std::invalid_argument(symbol.symbol +
                                  ": price, tick and lot must be above 0, the price below 1e9");
    if (!names.insert(symbol.symbol).second)
      throw std::invalid_argument("symbol " + symbol.symbol + " is there twice");
  }
  return symbols;
}

void append_count(std::string& out, std::string_view name, std::uint64_t value) {
  out.append("\"").append(name).append("\":").append(std::to_string(value)).append(",");
}

}  // namespace

Venue::Venue(const VenueOptions& options)
    : wire_(new_wire(options.exchange, options.weight_limit, options.ban)),
      clock_(options.start_ms.value_or(utc_ms()), options.frame_files.empty() ? options.speed : 0),
      update_(options.update),
      playback_speed_(options.playback_speed) {
  if (!wire_) throw std::invalid_argument("exchange " + options.exchange + " is none of " + known_wires());
  if (options.frame_files.empty()) {
    std::vector<MarketSymbol> symbols = checked(options.symbols);
    for (MarketSymbol& symbol : symbols) symbol.symbol = wire_->native_name(symbol);
    market_ = std::make_unique<Market>(
        std::move(symbols), MarketOptions{options.seed, options.quiet_share, wire_->opens_at_last_close()});
    streams_ =
        std::make_unique<MarketStreams>(*market_, *wire_, faults_, subscriptions_, options.closing_delay);
  } else {
    playback_ = std::make_unique<Playback>(options.frame_files, *wire_);
    clock_ = Clock(playback_->first_received_ms(), 0);
  }
}

const Source& Venue::source() const {
  if (market_) return *market_;
  return *playback_;
}

std::vector<std::string_view> Venue::symbol_names() const {
  std::vector<std::string_view> names;
  for (const MarketSymbol& symbol : source().symbols()) names.emplace_back(symbol.symbol);
  return names;
}

// ---- REST ----

RestAnswer Venue::get(std::string_view target, std::int64_t real_ms) {
  ++rest_requests_;
  RestFault fault;
  const bool faulty = !faults_.rest.empty();
  if (faulty) {
    fault = faults_.rest.front();
    faults_.rest.pop_front();
  }
  const bool otherwise =
      faulty && (fault.how == RestFault::How::stale || fault.how == RestFault::How::unsettled ||
                 fault.how == RestFault::How::halved);
  RestAnswer answer;
  if (otherwise || !faults_.delisted.empty() || !faults_.replaced.empty()) {
    const ToldSource told(source(), faults_, fault.how);
    answer = wire_->get({target, told, clock_.now_ms(), real_ms});
  } else {
    answer = wire_->get({target, source(), clock_.now_ms(), real_ms});
  }
  if (answer.status == 429 || answer.status == 403) ++rest_rejected_;
  return faulty ? fault.applied(std::move(answer)) : answer;
}

std::string Venue::status() const {
  std::string text;
  append_count(text, "now_ms", static_cast<std::uint64_t>(clock_.now_ms()));
  append_count(text, "subscriptions", subscriptions_.size());
  append_count(text, "subscriptions_refused", subscriptions_refused_);
  append_count(text, "frames_sent", subscriptions_.frames_sent());
  append_count(text, "rest_requests", rest_requests_);
  append_count(text, "rest_rejected", rest_rejected_);
  append_count(text, "faults_due", faults_.pending());
  if (playback_) {
    append_count(text, "frames_played", playback_->played());
    append_count(text, "lines_skipped", playback_->skipped());
    text += std::string("\"playback\":\"") +
            (!played_from_                   ? "waiting"
             : playback_->front() == nullptr ? "done"
                                             : "playing") +
            "\",";
  }
  text += "\"closing_frames\":{";
  for (std::size_t i = 0; market_ && i < market_->symbols().size(); ++i) {
    if (text.back() != '{') text += ',';
    append_json_string(text, market_->symbols()[i].symbol);
    text += ':' + std::to_string(streams_->closing_frames()[i]);
  }
  text += "},\"closing_frames_withheld\":{";
  for (const auto& [symbol, count] : faults_.withholds) {
    if (text.back() != '{') text += ',';
    append_json_string(text, symbol);
    text += ':' + std::to_string(count);
  }
  return text + "}";
}

// ---- subscriptions ----

std::optional<Refusal> Venue::fault_of(const std::string& stream) const {
  const auto parsed = wire_->parse_stream(stream);
  if (parsed && faults_.refused.contains(parsed->symbol)) return Refusal::refused_stream;
  if (parsed && faults_.delisted.contains(parsed->symbol)) return Refusal::unknown_stream;
  const bool known =
      playback_ ? playback_->has_stream(stream) : parsed && market_->find(parsed->symbol).has_value();
  return known ? std::nullopt : std::optional(Refusal::unknown_stream);
}

void Venue::subscribe(Subscriber& subscriber, const std::string& stream) {
  const std::int64_t now_ms = clock_.now_ms();
  const auto change = subscriptions_.add(subscriber, stream, now_ms);
  if (playback_) {
    if (!played_from_) play_at_ = Real::now() + kPlaybackLead;
  } else if (change == Subscriptions::Change::first) {
    const auto parsed = wire_->parse_stream(stream);
    streams_->open(stream, *market_->find(parsed->symbol), *parsed, now_ms);
  }
}

void Venue::unsubscribe(Subscriber& subscriber, const std::string& stream) {
  if (subscriptions_.remove(subscriber, stream) == Subscriptions::Change::last && streams_)
    streams_->close(stream);
}

void Venue::join(Subscriber& subscriber, const WireOpening& opening) {
  subscriber.form = opening.form;
  for (const std::string& stream : opening.streams) {
    // What an address names wrongly is passed over, as Binance does.
    const bool full = subscriber.streams.size() >= wire_->streams_per_connection();
    if (full || fault_of(stream)) {
      ++subscriptions_refused_;
    } else {
      subscribe(subscriber, stream);
    }
  }
}

void Venue::leave(Subscriber& subscriber) {
  while (!subscriber.streams.empty()) unsubscribe(subscriber, std::string(*subscriber.streams.begin()));
}

std::vector<std::string> Venue::on_message(Subscriber& subscriber, std::string_view message) {
  const WireRequest request = wire_->read(message);
  switch (request.kind) {
    case WireRequest::Kind::malformed:
      return {request.refusal};
    case WireRequest::Kind::list:
      return {wire_->listed(request, subscriber.streams)};
    case WireRequest::Kind::get_form:
      return {wire_->form_told(request, subscriber.form)};
    case WireRequest::Kind::ping:
      return {wire_->pong(request)};
    case WireRequest::Kind::set_form:
      subscriber.form = wire_->wrapped(subscriber.form, request.wrapped);
      return wire_->accepted(request);
    case WireRequest::Kind::subscribe:
    case WireRequest::Kind::unsubscribe:
      break;
  }
  return change(subscriber, request);
}

std::vector<std::string> Venue::change(Subscriber& subscriber, const WireRequest& request) {
  if (!wire_->answers_each()) return change_all(subscriber, request);
  std::vector<std::string> answers;
  WireRequest one = request;
  for (const std::string& stream : request.streams) {
    one.streams = {stream};
    for (std::string& answer : change_all(subscriber, one)) answers.push_back(std::move(answer));
  }
  return answers;
}

/// All or none.
std::vector<std::string> Venue::change_all(Subscriber& subscriber, const WireRequest& request) {
  if (request.kind == WireRequest::Kind::unsubscribe) {
    for (const std::string& stream : request.streams) unsubscribe(subscriber, stream);
    return wire_->accepted(request);
  }
  std::set<std::string> wanted = subscriber.streams;
  for (const std::string& stream : request.streams) {
    wanted.insert(stream);
    auto why = fault_of(stream);
    if (!why && wanted.size() > wire_->streams_per_connection()) why = Refusal::too_many_streams;
    if (!why) continue;
    ++subscriptions_refused_;
    return {wire_->refused(request, *why, stream)};
  }
  for (const std::string& stream : request.streams) subscribe(subscriber, stream);
  if (faults_.early_data > 0 && streams_) {
    --faults_.early_data;
    streams_->send_forming(clock_.now_ms());
  }
  return wire_->accepted(request);
}

// ---- what is due ----

Venue::Real::time_point Venue::run(Real::time_point now) {
  return market_ ? run_market(now) : run_playback(now);
}

Venue::Real::time_point Venue::run_market(Real::time_point now) {
  const std::int64_t now_ms = clock_.now_ms();
  if (!streams_->send_closing(now_ms, kFramesAtOnce)) return now;
  if (streams_->size() == 0) return Real::time_point::max();
  if (now >= next_forming_) {
    streams_->send_forming(now_ms);
    next_forming_ = now + update_;
  }
  return std::min(next_forming_, clock_.real_time_of(streams_->next_due_ms()));
}

Venue::Real::time_point Venue::run_playback(Real::time_point now) {
  if (!played_from_) {
    if (!play_at_) return Real::time_point::max();
    if (now < *play_at_) return *play_at_;
    played_from_ = now;
  }
  for (std::size_t i = 0; i < kFramesAtOnce; ++i) {
    const Playback::Frame* frame = playback_->front();
    if (frame == nullptr) return Real::time_point::max();
    const std::string& stream = frame->content.stream;
    if (playback_speed_ > 0) {
      const double after_us = static_cast<double>(frame->after_us) / playback_speed_;
      const auto due = *played_from_ + std::chrono::microseconds(static_cast<std::int64_t>(after_us));
      if (due > now) return due;
    } else if (subscriptions_.most_queued(stream) > kPlaybackQueuedBytes) {
      return now + kPlaybackPause;
    }
    clock_.advance(frame->received_us / 1000 - clock_.now_ms());
    subscriptions_.send(stream, MarketStreams::kNothingDue,
                        [&](Form form) { return wire_->rewrapped(stream, frame->payload, form); });
    playback_->pop();
  }
  return now;
}

}  // namespace atcd::feeds::simulator
