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

/* A driver, in probe.c's table. The registers stay at `base`; irq 0: none. */
struct uart_ops;
struct uart_driver {
    const char *compatible;
    const struct uart_ops *(*init)(volatile void *base);
    void (*set_irq)(unsigned irq, bool edge);
};
extern const struct uart_driver pl011_driver, sbsa_uart_driver;

#endif
