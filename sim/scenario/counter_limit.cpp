#include "sim/scenario/counter_limit.h"

#include <sstream>
#include <stdexcept>
#include <utility>

#include "sim/scenario/units.h"

namespace trapline {
namespace {

using Relation = CounterLimit::Relation;

constexpr std::pair<std::string_view, Relation> kRelations[] = {{"<", Relation::less},
                                                                {"<=", Relation::at_most},
                                                                {"==", Relation::equal},
                                                                {">=", Relation::at_least},
                                                                {">", Relation::more}};

}  // namespace

bool CounterLimit::met_by(std::uint64_t count) const {
  switch (relation) {
    case Relation::less:
      return count < value;
    case Relation::at_most:
      return count <= value;
    case Relation::equal:
      return count == value;
    case Relation::at_least:
      return count >= value;
    case Relation::more:
      return count > value;
  }
  return false;
}

CounterLimit parse_counter_limit(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string name, relation, value, rest;
  words >> name >> relation >> value;
  for (const auto& [sign, meaning] : kRelations) {
    if (relation == sign && !value.empty() && !(words >> rest)) {
      return {name, meaning, parse_count(value), std::string(text)};
    }
  }
  throw std::invalid_argument("'" + std::string(text) +
                              "' is not NAME RELATION COUNT with one of < <= == >= >");
}

}  // namespace trapline
