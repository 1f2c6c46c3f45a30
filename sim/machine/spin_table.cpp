#include "sim/machine/spin_table.h"

#include <array>
#include <cstring>

namespace trapline {
namespace {

constexpr std::array<std::uint32_t, 13> kCode = {
    0xd53800a4,  //    mrs  x4, mpidr_el1
    0x92401c84,  //    and  x4, x4, #0xff
    0x10003fc5,  //    adr  x5, . + 0x7f8
    0x8b040ca5,  //    add  x5, x5, x4, lsl #3
    0xd503205f,  // 1: wfe
    0xf94000a6,  //    ldr  x6, [x5]
    0xb4ffffc6,  //    cbz  x6, 1b
    0xd2800000,  //    mov  x0, #0
    0xd2800001,  //    mov  x1, #0
    0xd2800002,  //    mov  x2, #0
    0xd2800003,  //    mov  x3, #0
    0xd5033fdf,  //    isb
    0xd61f00c0,  //    br   x6
};

}  // namespace

std::vector<std::uint8_t> spin_table_page() {
  std::vector<std::uint8_t> page(kSpinTableBytes);
  std::memcpy(page.data(), kCode.data(), sizeof kCode);
  return page;
}

}  // namespace trapline
