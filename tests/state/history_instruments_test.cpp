// What a history remembers of the instruments that its bars are of, and what becomes of a name's bars when it
// is another instrument's.
#include <gtest/gtest.h>

#include <filesystem>

#include "state/history_writer.hpp"
#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;
namespace fs = std::filesystem;

const Instrument kOne{"BTC", "USDT", "USDT", 0, 1'573'557'408'000, 0.01, 0};
const Instrument kOther{"BTC", "USDT", "USDT", 0, 1'795'000'000'000, 0.01, 1'680'600'000};
constexpr std::int64_t kAtMs = 1'795'489'380'000;
constexpr const char* kAside = "a@set-aside-1795489380000";

class HistoryInstruments : public HistoryTest {
 protected:
  std::optional<Instrument> instrument_of(const std::string& name) const {
    History history(directory_, History::Access::read);
    const auto series = history.find(name);
    EXPECT_TRUE(series) << name;
    return history.instrument(*series);
  }
  std::vector<std::string> problems() const { return History(directory_, History::Access::write).problems(); }
};

TEST_F(HistoryInstruments, ASeriesRemembersItsInstrument) {
  {
    History history(directory_, History::Access::write);
    append(history, "a", some_bars(3, 1));
    append(history, "b", some_bars(3, 2));
    EXPECT_FALSE(history.instrument(*history.find("a")));
    ASSERT_TRUE(history.set_instrument(*history.find("b"), kOne));
    EXPECT_EQ(history.instrument(*history.find("b")), kOne);
  }
  EXPECT_EQ(instrument_of("b"), kOne);
  EXPECT_EQ(instrument_of("a"), std::nullopt);
}

TEST_F(HistoryInstruments, CurrenciesThatAreTooLongAreNotKeptButTheRestIs) {
  Instrument wordy = kOne;
  wordy.base.assign(33, 'X');
  {
    History history(directory_, History::Access::write);
    ASSERT_TRUE(history.set_instrument(*history.add("a"), wordy));
  }
  wordy.base = wordy.quote = wordy.settle = "";
  EXPECT_EQ(instrument_of("a"), wordy);
}

TEST_F(HistoryInstruments, ADamagedRecordIsNotKnownAndCostsNoBar) {
  const auto bars = some_bars(3, 1);
  {
    History history(directory_, History::Access::write);
    append(history, "a", bars);
    ASSERT_TRUE(history.set_instrument(*history.find("a"), kOne));
  }
  const std::string whole = read("instruments");
  ASSERT_EQ(whole.size(), sizeof(InstrumentRecord));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    write("instruments", changed);
    EXPECT_EQ(instrument_of("a"), std::nullopt) << at;
    ASSERT_EQ(problems().size(), 1U) << at;
    EXPECT_NE(problems()[0].find("/instruments: the record at 0 is damaged"), std::string::npos)
        << problems()[0];
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{8}, whole.size() - 1}) {
    write("instruments", whole.substr(0, size));
    EXPECT_EQ(instrument_of("a"), std::nullopt) << size;
  }
  EXPECT_EQ(reread("a"), bars);
  fs::remove(path("instruments"));
  EXPECT_EQ(instrument_of("a"), std::nullopt) << "a history from before there were instruments";
  EXPECT_EQ(reread("a"), bars);
  EXPECT_TRUE(problems().empty());
}

TEST_F(HistoryInstruments, WhatWasHeldIsKeptUnderANameThatSaysSoAndTheNameBeginsAnew) {
  const auto bars = some_bars(2 * kBlockBars + 30, 1), anew = some_bars(20, 2, 28'100'000);
  {
    History history(directory_, History::Access::write);
    append(history, "a", bars);
    append(history, "b", some_bars(5, 3));
    const auto old = *history.find("a");
    ASSERT_TRUE(history.set_instrument(old, kOne));
    Bar other = bars.back();
    other.close += 0.25;
    ASSERT_TRUE(history.correct(old, other, 1));
    ASSERT_TRUE(history.correct(old, bars.back(), 2));
    const auto fresh = history.begin_anew("a", kOther, kAtMs);
    ASSERT_TRUE(fresh);
    EXPECT_NE(*fresh, old);
    EXPECT_EQ(history.corrections(*fresh), 0U);
    EXPECT_TRUE(history.newest(*fresh, 0).bars.empty());
    append(history, "a", anew);
    EXPECT_EQ(history.newest(old, 0).bars, bars);
  }
  EXPECT_EQ(reread("a"), anew);
  EXPECT_EQ(reread(kAside), bars) << "blocks and tail";
  EXPECT_EQ(reread("b").size(), 5U);
  EXPECT_EQ(instrument_of("a"), kOther);
  EXPECT_EQ(instrument_of(kAside), kOne);
  EXPECT_TRUE(problems().empty());
  fs::remove(path("index"));  // made anew from the blocks
  { History made(directory_, History::Access::write); }
  EXPECT_EQ(reread(kAside), bars);
  EXPECT_EQ(reread("a"), anew);
}

// Of what may have been written over, or is damaged, no bar may be taken for the first that is not.
TEST_F(HistoryInstruments, WhereABarMayHaveBeenNoneIsTakenForTheFirst) {
  const auto bars = some_bars(2 * kBlockBars, 1);
  History history(directory_, History::Access::write);
  const auto series = *history.add("a");
  EXPECT_EQ(history.first_close_ms(series), std::nullopt);
  const std::int64_t from_ms = bars[0].open_time_ms - 60'000;
  ASSERT_TRUE(history.append(series, bars[0], from_ms));
  History before(history);
  EXPECT_EQ(before.first_close_ms(series), bars[0].close_time_ms);
  for (std::size_t i = 1; i < bars.size(); ++i)
    ASSERT_TRUE(history.append(series, bars[i], bars[i - 1].close_time_ms));
  EXPECT_EQ(history.first_close_ms(series), bars[0].close_time_ms);
  EXPECT_EQ(before.first_close_ms(series), from_ms) << "its tail is another one by now";
  ASSERT_TRUE(history.sync());
  std::string blocks = read("blocks");
  blocks[200] = static_cast<char>(blocks[200] ^ 4);
  write("blocks", blocks);
  History damaged(directory_, History::Access::read);
  EXPECT_EQ(damaged.first_close_ms(series), from_ms);
}

TEST_F(HistoryInstruments, ANameMayBecomeAnotherInstrumentsAgainAndAgain) {
  {
    History history(directory_, History::Access::write);
    for (int time = 0; time < 3; ++time) {
      append(history, "a", some_bars(3, time));
      ASSERT_TRUE(history.begin_anew("a", kOther, kAtMs)) << "at the same moment";
    }
    ASSERT_TRUE(history.begin_anew("new", kOne, kAtMs)) << "of which nothing is held";
  }
  History history(directory_, History::Access::read);
  EXPECT_EQ(history.names(), (std::vector<std::string>{kAside, "a@set-aside-1795489380001",
                                                       "a@set-aside-1795489380002", "a", "new"}));
  for (int time = 0; time < 3; ++time)
    EXPECT_EQ(reread(history.names()[static_cast<std::size_t>(time)]), some_bars(3, time));
  EXPECT_TRUE(reread("a").empty());
}

TEST_F(HistoryInstruments, AProcessThatDiesBetweenTheStepsLosesNeither) {
  const auto bars = some_bars(3, 1);
  {
    History history(directory_, History::Access::write);
    append(history, "a", bars);
    ASSERT_TRUE(history.set_instrument(*history.find("a"), kOne));
    ASSERT_TRUE(history.begin_anew("a", kOther, kAtMs));
  }
  // The new series' name is the last that was written.
  const std::string names = read("names");
  write("names", names.substr(0, names.size() - sizeof(NameRecord)));
  {
    History history(directory_, History::Access::write);
    EXPECT_FALSE(history.find("a"));
    const auto series = history.add("a");
    ASSERT_TRUE(series);
    EXPECT_EQ(history.instrument(*series), kOther) << "it was written first";
    const auto other = history.add("b");
    EXPECT_EQ(history.instrument(*other), std::nullopt);
  }
  EXPECT_EQ(reread(kAside), bars);
}

TEST_F(HistoryInstruments, TheWriterPutsBarsOfAnEarlierHandleToWhatWasSetAside) {
  const auto bars = some_bars(6, 1);
  {
    HistoryWriter writer(std::make_unique<History>(directory_, History::Access::write));
    HistoryPort& port = writer.port(0);
    const auto before = port.open("a");
    port.set_instrument("a", kOne);
    for (std::size_t i = 0; i < 3; ++i) port.append(before, bars[i], bars[i].open_time_ms);
    port.begin_anew("a", kOther, kAtMs);
    const auto after = port.open("a");
    port.append(before, bars[3], bars[3].open_time_ms);
    port.append(after, bars[4], bars[4].open_time_ms);
    port.set_instrument(std::string(kLongestName + 1, 'n'), kOne);
    port.open(std::string(kLongestName, 'n'));
    port.begin_anew(std::string(kLongestName, 'n'), kOne, kAtMs);
    port.append(after, bars[5], bars[5].open_time_ms);
  }
  EXPECT_EQ(reread(kAside), std::vector<Bar>(bars.begin(), bars.begin() + 4));
  EXPECT_EQ(reread("a"), std::vector<Bar>(bars.begin() + 4, bars.end()))
      << "a name that is too long stops nothing";
  EXPECT_EQ(instrument_of(kAside), kOne);
  EXPECT_EQ(instrument_of("a"), kOther);
}

}  // namespace
}  // namespace atcd::state
