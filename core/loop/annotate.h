/* annotate.h - telling sanitizers and valgrind about stacks that they cannot see being switched. */
#ifndef CORE_LOOP_ANNOTATE_H
#define CORE_LOOP_ANNOTATE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ANNOTATE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ANNOTATE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define ANNOTATE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ANNOTATE_TSAN 1
#endif
#endif

#ifdef ANNOTATE_ASAN
#include <sanitizer/common_interface_defs.h>
#define annotate_start_switch(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define annotate_finish_switch(save, bottom, size)                                                 \
    __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define annotate_start_switch(save, bottom, size)  ((void)(save), (void)(bottom), (void)(size))
#define annotate_finish_switch(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#endif

#ifdef ANNOTATE_TSAN
#include <sanitizer/tsan_interface.h>
#define annotate_tsan_create()       __tsan_create_fiber(0)
#define annotate_tsan_current()      __tsan_get_current_fiber()
#define annotate_tsan_switch(fiber)  __tsan_switch_to_fiber(fiber, 0)
#define annotate_tsan_destroy(fiber) __tsan_destroy_fiber(fiber)
#else
#define annotate_tsan_create()       NULL
#define annotate_tsan_current()      NULL
#define annotate_tsan_switch(fiber)  ((void)(fiber))
#define annotate_tsan_destroy(fiber) ((void)(fiber))
#endif

#if defined(__has_include) && __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define annotate_stack_register(low, high) VALGRIND_STACK_REGISTER(low, high)
#define annotate_stack_deregister(id)      VALGRIND_STACK_DEREGISTER(id)
#else
#define annotate_stack_register(low, high) 0u
#define annotate_stack_deregister(id)      ((void)(id))
#endif

/* Sanitizers make frames several times as large. */
#if defined(ANNOTATE_ASAN) || defined(ANNOTATE_TSAN)
#define ANNOTATE_STACK_BYTES ((size_t)1 << 20)
#else
#define ANNOTATE_STACK_BYTES ((size_t)256 << 10)
#endif

#endif
