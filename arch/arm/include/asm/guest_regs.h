/* Floor 1: fields of the registers that control guests and describe their traps (Arm ARM D19.2). */
#ifndef ASM_GUEST_REGS_H
#define ASM_GUEST_REGS_H

#include <hv/bits.h>

/* HCR_EL2 */
#define HCR_VM BIT(0)
#define HCR_SWIO BIT(1)
#define HCR_PTW BIT(2)
#define HCR_FMO BIT(3)
#define HCR_IMO BIT(4)
#define HCR_AMO BIT(5)
#define HCR_FB BIT(9)
#define HCR_BSU_IS (1ULL << 10)
#define HCR_TWI BIT(13)
#define HCR_TWE BIT(14)
#define HCR_TID3 BIT(18)
#define HCR_TSC BIT(19)
#define HCR_TIDCP BIT(20)
#define HCR_TACR BIT(21)
#define HCR_TSW BIT(22)
#define HCR_RW BIT(31)
#define HCR_TLOR BIT(35)
#define HCR_TERR BIT(36)

/* MDCR_EL2 */
#define MDCR_TPMCR BIT(5)
#define MDCR_TPM BIT(6)
#define MDCR_TDA BIT(9)
#define MDCR_TDOSA BIT(10)
#define MDCR_TDRA BIT(11)
#define MDCR_TPMS BIT(14)
#define MDCR_TTRF BIT(19)

/* CPTR_EL2 with E2H = 0: the bits that are one in every version (TZ and TSM are among them), TTA
 * and TAM. */
#define CPTR_GUEST (0x33ffULL | BIT(20) | BIT(30))

/* MDSCR_EL1 */
#define MDSCR_SS BIT(0)
#define MDSCR_MDE BIT(15)

/* SCTLR_EL1 and the AArch32 SCTLR */
#define SCTLR_V BIT(13)
#define SCTLR_SPAN BIT(23)
#define SCTLR_EE BIT(25)
#define SCTLR_TE BIT(30)
#define SCTLR_DSSBS64 BIT(44)
#define SCTLR_DSSBS32 BIT(31)
#define SCTLR_RESET64 0x30d00800ULL /* EL1: the bits that are one in v8.0, all else off */
#define SCTLR_RESET32 0x00c50838ULL

#define FPEXC_RESET 0x700ULL /* bits that are one where they are not zero */

/* TCR_EL1, and TTBCR */
#define TCR_EPD0 BIT(7)
#define TCR_EPD1 BIT(23)
#define TTBCR_EAE BIT(31)

/* PSTATE as saved in an SPSR */
#define PSR_M_MASK 0xfULL
#define PSR_AARCH32 BIT(4)
#define PSR_MODE_EL0T 0x0ULL
#define PSR_MODE_EL1T 0x4ULL
#define PSR_MODE_EL1H 0x5ULL
#define PSR_F BIT(6)
#define PSR_I BIT(7)
#define PSR_A BIT(8)
#define PSR_D BIT(9) /* AArch64 */
#define PSR_BTYPE (3ULL << 10)
#define PSR_SSBS BIT(12)
#define PSR_IL BIT(20)
#define PSR_SS BIT(21)
#define PSR_PAN BIT(22)
#define PSR_UAO BIT(23)
#define PSR_DIT BIT(24)
#define PSR_NZCV (0xfULL << 28)

#define PSR32_MODE_MASK 0x1fULL
#define PSR32_USR 0x10ULL
#define PSR32_FIQ 0x11ULL
#define PSR32_IRQ 0x12ULL
#define PSR32_SVC 0x13ULL
#define PSR32_ABT 0x17ULL
#define PSR32_UND 0x1bULL
#define PSR32_SYS 0x1fULL
#define PSR32_T BIT(5)
#define PSR32_E BIT(9)
#define PSR32_DIT BIT(21)
#define PSR32_SSBS BIT(23)
#define PSR32_IT_7_2 (0x3fULL << 10)
#define PSR32_IT_1_0 (3ULL << 25)

/* ESR_ELx */
#define ESR_EC_SHIFT 26
#define ESR_IL BIT(25)
#define ESR_EC_OF(esr) ((unsigned)((esr) >> ESR_EC_SHIFT) & 0x3f)
#define EC_UNKNOWN 0x00ULL
#define EC_IABT_LOW 0x20ULL
#define EC_DABT_LOW 0x24ULL
#define ISS_ISV BIT(24)
#define ISS_CM BIT(8)
#define ISS_S1PTW BIT(7)
#define ISS_WNR BIT(6)
#define FSC_MASK 0x3fULL
#define FSC_LEVEL_MASK 0x3cULL
#define FSC_TRANSLATION 0x04ULL
#define FSC_PERMISSION 0x0cULL
#define FSC_EXTERNAL 0x10ULL
#define FSC_TLB_CONFLICT 0x30ULL

#endif
