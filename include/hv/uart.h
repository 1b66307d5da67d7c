/* Floor 5: finding the UART that is the console. */
#ifndef HV_UART_H
#define HV_UART_H

#include <hv/types.h>

/*
 * Which one: the command line's dtuart=PATH[:OPTIONS] (or an alias), else stdout-path of /chosen,
 * else the first UART that has a driver. Options after the colon are ignored: the line's speed is
 * the firmware's.
 *
 * Early: through a window of the boot page table, before memory is known; silent when there is
 * none.
 */
void uart_early_init(const void *fdt);
/* Maps it for good, and prints what was chosen. */
void uart_init(const void *fdt);

/* A driver, in probe.c's table. Where io_width is 1, the node's reg-shift and reg-io-width count.
 */
struct uart_model;
struct uart_driver {
    const char *compatible;
    const struct uart_model *model;
    uint8_t reg_shift, io_width;
};
extern const struct uart_driver pl011_driver, sbsa_uart_driver, ns16550_driver, dw_uart_driver,
    bcm2835_aux_uart_driver, cadence_driver, imx_driver;

/*
 * The one UART there is becomes this, with registers that stay at `base`: ready, its interrupts
 * off. NULL: reg-shift or reg-io-width of the node are none that are known.
 */
struct uart_ops;
const struct uart_ops *uart_attach(const struct uart_driver *d, volatile void *base,
                                   const void *fdt, int node);
/* 0: none. */
void uart_set_irq(unsigned irq, bool edge);

#endif
