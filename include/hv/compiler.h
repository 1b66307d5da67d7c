/* Floor 0: names for what the compiler offers. */
#ifndef HV_COMPILER_H
#define HV_COMPILER_H

#ifndef HF_DEBUG
#define HF_DEBUG 0
#endif

#define __must_check __attribute__((warn_unused_result))
#define __noreturn __attribute__((noreturn))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __section(s) __attribute__((section(s)))
#define __noinline __attribute__((noinline))
#define __force_inline inline __attribute__((always_inline)) /* where a constant argument pays */
#ifdef __clang__
#define __cold_label /* it has none */
#else
#define __cold_label __attribute__((cold))
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define barrier() __asm__ volatile("" ::: "memory")
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p) - __builtin_offsetof(type, member)))

#endif
