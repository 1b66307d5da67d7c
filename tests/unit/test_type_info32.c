/* The packed word type_info, 32 bits wide (arm32). */
#define HF_GFN_WIDTH 32
#include "type_info_cases.h"
