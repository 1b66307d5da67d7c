/* The key by which return addresses are signed: asm/harden.h. */
#include <asm/harden.h>

struct pac_key pac_key;
