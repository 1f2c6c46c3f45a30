// Programs as hand-assembled A64 words.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "sim/arch/registers.h"
#include "sim/arch/types.h"

namespace trapline::test {

/// A64 instructions as words (DDI 0487 C6). Registers are numbers; 31 is XZR or SP as in the manual.
namespace a64 {
using Word = std::uint32_t;
inline constexpr Word kNop = 0xd503201f, kYield = 0xd503203f, kWfe = 0xd503205f, kWfi = 0xd503207f,
                      kSev = 0xd503209f, kSevl = 0xd50320bf, kIsb = 0xd5033fdf,
                      kDsb = 0xd5033f9f, kEret = 0xd69f03e0, kUdf = 0;
constexpr Word svc(Word imm) { return 0xd4000001 | imm << 5; }
constexpr Word hvc(Word imm) { return 0xd4000002 | imm << 5; }
constexpr Word smc(Word imm) { return 0xd4000003 | imm << 5; }
constexpr Word brk(Word imm) { return 0xd4200000 | imm << 5; }
constexpr Word hlt(Word imm) { return 0xd4400000 | imm << 5; }
constexpr Word movz(Word rd, Word imm, Word hw = 0) {
  return 0xd2800000 | hw << 21 | imm << 5 | rd;
}
constexpr Word movk(Word rd, Word imm, Word hw) { return 0xf2800000 | hw << 21 | imm << 5 | rd; }
constexpr Word add(Word rd, Word rn, Word imm) { return 0x91000000 | imm << 10 | rn << 5 | rd; }
constexpr Word sub(Word rd, Word rn, Word imm) { return 0xd1000000 | imm << 10 | rn << 5 | rd; }
constexpr Word mov_to_sp(Word rn) { return add(31, rn, 0); }
constexpr Word mov_from_sp(Word rd) { return add(rd, 31, 0); }
/// Branches take a distance in instructions.
constexpr Word b(int distance) { return 0x14000000 | (static_cast<Word>(distance) & 0x3ffffff); }
constexpr Word cbnz(Word rt, int distance) {
  return 0xb5000000 | (static_cast<Word>(distance) & 0x7ffff) << 5 | rt;
}
constexpr Word br(Word rn) { return 0xd61f0000 | rn << 5; }
constexpr Word blr(Word rn) { return 0xd63f0000 | rn << 5; }
constexpr Word ret() { return 0xd65f03c0; }
/// A load or store without offset: its opcode with rn and rt filled in.
constexpr Word mem(Word opcode, Word rt, Word rn) { return opcode | rn << 5 | rt; }
inline constexpr Word kLdr = 0xf9400000, kStr = 0xf9000000, kLdrW = 0xb9400000, kStrW = 0xb9000000,
                      kLdrb = 0x39400000, kStrb = 0x39000000, kLdrh = 0x79400000,
                      kStrh = 0x79000000, kLdrsw = 0xb9800000, kLdrsbX = 0x39800000,
                      kLdrPost8 = 0xf8408400, kLdtr = 0xf8400800, kSttr = 0xf8000800,
                      kLdxr = 0xc85f7c00, kLdrQ = 0x3dc00000, kStrQ = 0x3d800000,
                      kLd1 = 0x4c407000, kSt1 = 0x4c007000, kLdar = 0xc8dffc00,
                      kStlr = 0xc89ffc00;
constexpr Word ldp(Word rt, Word rt2, Word rn) { return 0xa9400000 | rt2 << 10 | rn << 5 | rt; }
constexpr Word stp(Word rt, Word rt2, Word rn) { return 0xa9000000 | rt2 << 10 | rn << 5 | rt; }
constexpr Word stxr(Word rs, Word rt, Word rn) { return 0xc8007c00 | rs << 16 | rn << 5 | rt; }
constexpr Word ldadd(Word rs, Word rt, Word rn) { return 0xf8200000 | rs << 16 | rn << 5 | rt; }
constexpr Word cas(Word rs, Word rt, Word rn) { return 0xc8a07c00 | rs << 16 | rn << 5 | rt; }
constexpr Word fmov_d_x(Word vd, Word xn) { return 0x9e670000 | xn << 5 | vd; }
constexpr Word daifset(Word bits) { return 0xd50340df | bits << 8; }
constexpr Word daifclr(Word bits) { return 0xd50340ff | bits << 8; }
constexpr Word spsel(Word value) { return 0xd50040bf | value << 8; }
constexpr Word pan(Word value) { return 0xd500409f | value << 8; }
constexpr Word uao(Word value) { return 0xd500407f | value << 8; }
inline Word mrs(Word rt, SysReg reg) {
  return sysreg_instruction({reg, true, static_cast<std::uint8_t>(rt)});
}
inline Word msr(SysReg reg, Word rt) {
  return sysreg_instruction({reg, false, static_cast<std::uint8_t>(rt)});
}
}  // namespace a64

/// A program under construction.
class Code {
 public:
  Code() = default;
  Code(std::initializer_list<a64::Word> list) : words(list) {}
  Code& add(std::initializer_list<a64::Word> list) {
    words.insert(words.end(), list);
    return *this;
  }
  Code& add(const Code& other) {
    words.insert(words.end(), other.words.begin(), other.words.end());
    return *this;
  }
  Code& mov(a64::Word rd, std::uint64_t value) {
    words.push_back(a64::movz(rd, value & 0xffff));
    for (a64::Word hw = 1; hw < 4; ++hw) {
      if (const auto part = static_cast<a64::Word>(value >> (16 * hw) & 0xffff)) {
        words.push_back(a64::movk(rd, part, hw));
      }
    }
    return *this;
  }
  /// Sets a system register by way of X28.
  Code& set(SysReg reg, std::uint64_t value) {
    mov(28, value);
    words.push_back(a64::msr(reg, 28));
    return *this;
  }
  Code& sys(SysReg reg, std::uint64_t value = 0) { return set(reg, value); }
  /// An exception return from `from` to `pc` with `state` as PSTATE.
  Code& enter(El from, VirtAddr pc, std::uint64_t state) {
    const bool el2 = from == El::el2;
    set(el2 ? reg::SPSR_EL2 : reg::SPSR_EL1, state);
    set(el2 ? reg::ELR_EL2 : reg::ELR_EL1, pc);
    words.push_back(a64::kEret);
    return *this;
  }

  std::vector<a64::Word> words;
};

}  // namespace trapline::test
