// Device trees of boards to plan for.
#include "sim/plan/board.h"
#include "sim/scenario/scenario.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trapline;
  try {
    const plan::Board board = plan::read_board({data, size}, "board");
    fuzz::check(!board.memory.empty() && board.gicd.size != 0, "a board has what plans need");
    for (std::size_t n = 1; n < board.memory.size(); ++n) {
      fuzz::check(board.memory[n - 1].end() < board.memory[n].base, "memory is sorted and apart");
    }
    fuzz::check(board.find(board.console) != nullptr, "the console is a device");
  } catch (const ScenarioError& error) {
    fuzz::check_message(error.what());
  }
  return 0;
}
