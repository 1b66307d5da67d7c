/* The packed word type_info, 64 bits wide (arm64). */
#define HF_GFN_WIDTH 64
#include "type_info_cases.h"
