/* memory.h - how much memory this process uses, for the cases that must not make it grow.
 */
#ifndef CORE_CONFORM_MEMORY_H
#define CORE_CONFORM_MEMORY_H

#include <stddef.h>

/* Bytes allocated and not freed, of all threads; 0 where they cannot be told: under a sanitizer or
 * valgrind. */
size_t contract_allocated_bytes(void);
/* Bytes of memory that the process has at present. */
size_t contract_resident_bytes(void);

#endif
