#include "arch.h"

void guest_main(void);
void guest_main(void) {
  print("TAP version 13\n");
  test_permissions();
  test_faults();
  test_at();
#ifdef BOARD_BASER
  test_registers();
  test_register_traps();
  test_regions();
  test_background();
  test_split();
  test_vmsa();
#endif
  plan();
  power_off_with(failures() ? 1 : 0);
}
