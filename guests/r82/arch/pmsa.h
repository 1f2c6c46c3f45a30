// PMSAv8-64 registers by encoding: assemblers before binutils 2.36 do not know their names.
#pragma once

#include "../../common/types.h"

#define MPUIR_EL1 S3_0_C0_C0_4
#define MPUIR_EL2 S3_4_C0_C0_4
#define PRENR_EL1 S3_0_C6_C1_1
#define PRENR_EL2 S3_4_C6_C1_1
#define PRSELR_EL1 S3_0_C6_C2_1
#define PRSELR_EL2 S3_4_C6_C2_1
#define PRBAR_EL1 S3_0_C6_C8_0
#define PRLAR_EL1 S3_0_C6_C8_1
#define PRBAR_EL2 S3_4_C6_C8_0
#define PRLAR_EL2 S3_4_C6_C8_1
#define PRBAR1_EL1 S3_0_C6_C8_4
#define PRLAR1_EL1 S3_0_C6_C8_5
#define PRBAR1_EL2 S3_4_C6_C8_4
#define PRLAR1_EL2 S3_4_C6_C8_5
#define VSCTLR_EL2 S3_4_C2_C0_0
#define VSTCR_EL2 S3_4_C2_C6_2
#define CNTHPS_CTL_EL2 S3_4_C14_C5_1
#define CNTHPS_CVAL_EL2 S3_4_C14_C5_2

/// BASE and LIMIT.
#define kBaseMask 0x0000ffffffffffc0ul
/// The first region that tests may use; the ones below hold the image and the UART.
enum { kFirstSlot = 3 };

/// Writes and enables a region; `permissions` as for area(), `attr` its index into MAIR.
void set_region(int regime, unsigned n, u64 first, u64 last, unsigned permissions, unsigned attr);
void clear_region(int regime, unsigned n);
unsigned region_count(int regime);
