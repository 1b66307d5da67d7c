/* UART of NXP's i.MX (i.MX 8M Plus reference manual, chapter 16.2). */
#include <hv/bits.h>

#include "uart_model.h"

#define URXD 0x00
#define UTXD 0x40
#define UCR1 0x80
#define UCR2 0x84
#define UCR4 0x8c
#define UTS 0xb4

#define UCR1_TX_READY BIT(13) /* interrupts */
#define UCR1_RX_READY BIT(9)
#define UCR1_TX_EMPTY BIT(6)
#define UCR1_ENABLE BIT(0)
#define UCR2_TX_ENABLE BIT(2)
#define UCR2_RX_ENABLE BIT(1)
#define UCR4_TX_COMPLETE BIT(3)
#define UCR4_RX_DATA BIT(0)
#define UTS_TX_EMPTY BIT(6)
#define UTS_RX_EMPTY BIT(5)
#define UTS_TX_FULL BIT(4)

static void change(unsigned reg, uint64_t clear, uint64_t set) {
    uart_write((uart_read(reg) & (uint32_t)~clear) | (uint32_t)set, reg);
}

/* The speed is firmware's. */
static void setup(void) {
    change(UCR1, 0, UCR1_ENABLE);
    change(UCR2, 0, UCR2_TX_ENABLE | UCR2_RX_ENABLE);
}

static void irqs(bool rx, bool tx) {
    change(UCR1, UCR1_TX_READY | UCR1_RX_READY | UCR1_TX_EMPTY, tx ? UCR1_TX_READY : 0);
    change(UCR4, UCR4_TX_COMPLETE | UCR4_RX_DATA, rx ? UCR4_RX_DATA : 0);
}

static const struct uart_model imx = {
    .name = "i.MX UART",
    .rx = URXD,
    .tx = UTXD,
    .status = UTS,
    .inverted = UTS_TX_EMPTY,
    .tx_full = UTS_TX_FULL,
    .rx_empty = UTS_RX_EMPTY,
    .busy = UTS_TX_EMPTY,
    .setup = setup,
    .irqs = irqs,
};

const struct uart_driver imx_driver = {"fsl,imx6q-uart", &imx, 0, 4};
