#include "daemon/instruments.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

using feeds::SymbolInfo;
using state::Instrument;

SymbolInfo listed(std::int64_t listed_ms, double contract_size) {
  SymbolInfo info{"BTC-USDT-SWAP", "BTC", "USDT", true, listed_ms, 0};
  info.settle = "USDT";
  info.contract_size = contract_size;
  return info;
}

TEST(Instruments, AnotherListingTimeOrContractSizeIsAnotherInstrument) {
  const Instrument known = known_now(std::nullopt, listed(1'000, 0.01));
  EXPECT_EQ(other_instrument(known, listed(1'000, 0.01)), "");
  EXPECT_EQ(other_instrument(known, listed(2'000, 0.01)), "its listing time is 2000, it was 1000");
  EXPECT_EQ(other_instrument(known, listed(1'000, 10)), "its contract size is 10, it was 0.01");
}

// BTCUSDT's onboardDate on Binance's futures was 1569398400000 for years; since 2026 it is 1567965300000.
TEST(Instruments, AListingTimeThatIsCorrectedIsNoOtherInstrument) {
  const Instrument known = known_now(std::nullopt, listed(1'569'398'400'000, 1));
  EXPECT_EQ(other_instrument(known, listed(1'567'965'300'000, 1), 1), "") << "it was listed before";
  EXPECT_EQ(known_now(known, listed(1'567'965'300'000, 1)).listed_ms, 1'567'965'300'000);
  const SymbolInfo later = listed(1'574'840'700'000, 1);
  EXPECT_EQ(other_instrument(known, later, 1'574'840'760'000), "") << "every bar is from after it was listed";
  EXPECT_NE(other_instrument(known, later, 1'574'840'700'000), "") << "one is from before";
  EXPECT_NE(other_instrument(known, later), "") << "that is not known";
  EXPECT_NE(other_instrument(known, listed(1'574'840'700'000, 10), 1'574'840'760'000), "");
}

TEST(Instruments, WhatIsNotSaidIsNoChangeAndDoesNotForget) {
  const Instrument never_said = known_now(std::nullopt, listed(0, 0));
  EXPECT_EQ(other_instrument(never_said, listed(1'000, 0.01)), "") << "it is said for the first time";
  Instrument known = known_now(never_said, listed(1'000, 0.01));
  EXPECT_EQ(other_instrument(known, listed(0, 0)), "") << "it is missing in one answer";
  known = known_now(known, listed(0, 0));
  EXPECT_EQ(known.listed_ms, 1'000);
  EXPECT_EQ(known.contract_size, 0.01);
  EXPECT_NE(other_instrument(known, listed(2'000, 0)), "") << "and is remembered";
}

TEST(Instruments, WhatIsKnownOfAnEarlierListIsAsAListWouldTellIt) {
  SymbolInfo info = listed(1'000, 0.01);
  info.delivery_ms = 1'798'185'600'000;
  const SymbolInfo again = symbol_info(info.symbol, known_now(std::nullopt, info));
  EXPECT_EQ(again.symbol, info.symbol);
  EXPECT_EQ(again.base, info.base);
  EXPECT_EQ(again.quote, info.quote);
  EXPECT_EQ(again.settle, info.settle);
  EXPECT_EQ(again.delivery_ms, info.delivery_ms);
  EXPECT_EQ(again.listed_ms, info.listed_ms);
  EXPECT_EQ(again.contract_size, info.contract_size);
}

TEST(Instruments, NamesInTheArchiveTellTheirSymbols) {
  const feeds::Exchange& okx = *feeds::find_exchange("okx", "swap");
  EXPECT_EQ(archived_symbol(okx, "okx:swap:BTC-USDT-SWAP:1m"), "BTC-USDT-SWAP");
  EXPECT_EQ(archived_symbol(okx, "okx:swap:%E5%B8%81-USDT-SWAP:1m"), "\xE5\xB8\x81-USDT-SWAP");
  EXPECT_EQ(archived_symbol(okx, "okx:spot:BTC-USDT:1m"), std::nullopt);
  EXPECT_EQ(archived_symbol(okx, "okx:swap:BTC-USDT-SWAP:1m@set-aside-1795489380000"), std::nullopt);
  for (const char* odd :
       {"", "okx:swap:", "okx:swap:X", "okx:swap:%:1m", "okx:swap:%4:1m", "okx:swap:%zz:1m"})
    EXPECT_EQ(archived_symbol(okx, odd), std::nullopt) << odd;
}

}  // namespace
}  // namespace atcd::daemon
