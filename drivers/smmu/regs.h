/* SMMUv3 (Arm IHI 0070): registers of the non-secure interface, and layouts of what it reads in
 * memory.
 */
#ifndef SMMU_REGS_H
#define SMMU_REGS_H

#include <hv/bits.h>

/* ---- registers, section 6.3; page 1 is at 64 KiB ---- */
#define SMMU_IDR0 0x00
#define IDR0_S2P BIT(0)
#define IDR0_S1P BIT(1)
#define IDR0_TTF_AA64 BIT(3)
#define IDR0_COHACC BIT(4)
#define IDR0_HYP BIT(9)
#define IDR0_MSI BIT(13)
#define IDR0_VMID16 BIT(18)
#define IDR0_ST_2LEVEL BIT(27)
#define SMMU_IDR1 0x04
#define IDR1_SIDSIZE 5, 0
#define IDR1_EVENTQS 20, 16
#define IDR1_CMDQS 25, 21
#define IDR1_PRESET GENMASK(30, 29) /* tables or queues have fixed addresses */
#define SMMU_IDR3 0x0c
#define IDR3_FWB BIT(8)
#define IDR3_RIL BIT(10)
#define IDR3_BBML 12, 11
#define SMMU_IDR5 0x14
#define IDR5_OAS 2, 0
#define IDR5_GRAN4K BIT(4)
#define SMMU_CR0 0x20
#define SMMU_CR0ACK 0x24
#define CR0_SMMUEN BIT(0)
#define CR0_EVENTQEN BIT(2)
#define CR0_CMDQEN BIT(3)
#define SMMU_CR1 0x28
#define CR1_CACHED 0xd75u /* tables and queues: inner shareable, write-back */
#define SMMU_CR2 0x2c
#define CR2_RECINVSID BIT(1) /* tell of streams that are out of range */
#define CR2_PTM BIT(2)       /* the CPUs' TLB broadcasts are not for us: VMIDs are our own */
#define SMMU_GBPA 0x44
#define GBPA_ABORT BIT(20)
#define GBPA_UPDATE BIT(31)
#define SMMU_IRQ_CTRL 0x50
#define SMMU_IRQ_CTRLACK 0x54
#define IRQ_CTRL_GERROR BIT(0)
#define IRQ_CTRL_EVENTQ BIT(2)
#define SMMU_GERROR 0x60
#define SMMU_GERRORN 0x64
#define GERROR_CMDQ BIT(0)
#define GERROR_EVENTQ_ABT BIT(2)
#define GERROR_ALL 0x1fdu
#define SMMU_GERROR_IRQ_CFG0 0x68
#define SMMU_STRTAB_BASE 0x80
#define SMMU_STRTAB_BASE_CFG 0x88
#define STRTAB_CFG_2LEVEL (1u << 16)
#define SMMU_CMDQ_BASE 0x90
#define SMMU_CMDQ_PROD 0x98
#define SMMU_CMDQ_CONS 0x9c
#define CMDQ_CONS_ERR 30, 24
#define SMMU_EVENTQ_BASE 0xa0
#define SMMU_EVENTQ_IRQ_CFG0 0xb0
#define SMMU_EVENTQ_PROD 0x100a8
#define SMMU_EVENTQ_CONS 0x100ac
#define EVENTQ_OVFLG BIT(31)
#define SMMU_REGS_SIZE 0x20000
#define BASE_ALLOC_HINT BIT(62) /* read- or write-allocate */

/* ---- stream table entries, section 5.2: 8 words ---- */
#define STE_WORDS 8u
#define STE0_V BIT(0)
#define STE0_CONFIG_S2 (6ULL << 1) /* 0: abort, and no event */
#define STE0_ABORT STE0_V
#define STE1_S2FWB BIT(25)
#define STE1_SHCFG_INCOMING (1ULL << 44)
#define STE2_VMID(v) ((uint64_t)(v))
#define STE2_T0SZ(bits) ((uint64_t)(64 - (bits)) << 32)
#define STE2_SL0(start_level) ((uint64_t)(2 - (start_level)) << 38)
#define STE2_IR0_WB (1ULL << 40)
#define STE2_OR0_WB (1ULL << 42)
#define STE2_SH0_INNER (3ULL << 44)
#define STE2_PS(v) ((uint64_t)(v) << 48)
#define STE2_AA64 BIT(51)
#define STE2_R BIT(58) /* record faults */
#define STE3_TTB GENMASK(51, 4)

/* Level-1 descriptor: address and log2 of the entries, plus one. */
#define L1STD_SPAN(bits) ((uint64_t)(bits) + 1)

/* ---- commands, section 4: 2 words ---- */
#define CMD_CFGI_STE 0x03
#define CMD_CFGI_ALL 0x04
#define CMD_TLBI_EL2_ALL 0x20
#define CMD_TLBI_S12_VMALL 0x28
#define CMD_TLBI_S2_IPA 0x2a
#define CMD_TLBI_NSNH_ALL 0x30
#define CMD_SYNC 0x46

/* ---- events, section 7.3: 4 words ---- */
#define EVENT_WORDS 4u
#define EVT0_TYPE 7, 0
#define EVT0_STREAM 63, 32
#define EVT1_READ BIT(35)
#define EVT1_S2 BIT(39)
#define EVT_IPA GENMASK(51, 12)

#endif
