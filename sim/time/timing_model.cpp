#include "sim/time/timing_model.h"

#include <stdexcept>
#include <string>

namespace trapline {
namespace {

using Class = InstructionClass;

struct Figure {
  Class instruction_class;
  std::uint8_t cycles;
};

// Reciprocal throughput of LLVM 14's Cortex-A55 model, rounded up to a whole cycle; every class not
// listed takes 1. The last group refills the pipeline: the model's branch misprediction penalty.
constexpr Figure kA55Like[] = {
    {Class::divide, 8},
    {Class::load_pair, 2},
    {Class::vector_load, 4},
    {Class::vector_store, 2},
    {Class::atomic, 2},
    {Class::fp_divide, 10},
    {Class::fp_divide_double, 19},
    {Class::exception_generation, 8},
    {Class::exception_return, 8},
    {Class::instruction_barrier, 8},
};

constexpr TableTiming::Table a55_like() {
  TableTiming::Table table{};
  for (std::uint8_t& cycles : table) cycles = 1;
  for (const Figure& figure : kA55Like)
    table[static_cast<unsigned>(figure.instruction_class)] = figure.cycles;
  return table;
}

}  // namespace

TableTiming::TableTiming() : TableTiming("table", a55_like()) {}

TableTiming::TableTiming(std::string_view name, const Table& table) : name_(name), table_(table) {
  for (unsigned i = 0; i < table.size(); ++i) {
    if (table[i] >= 1 && table[i] <= kMaxCycles) continue;
    throw std::invalid_argument("timing table: " + std::to_string(table[i]) + " cycles for \"" +
                                std::string(name_of(static_cast<Class>(i))) + "\"; must be 1 to " +
                                std::to_string(kMaxCycles));
  }
}

const TimingModel& timing_model(std::string_view name) {
  static const TableTiming table;
  static const UnitTiming unit;
  if (name == table.name()) return table;
  if (name == unit.name()) return unit;
  throw std::invalid_argument("unknown timing model \"" + std::string(name) +
                              "\"; known: table, unit");
}

}  // namespace trapline
