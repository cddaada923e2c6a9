/*
 * sanitize.h: what the sanitizers are told about our own memory; nothing in a plain build.
 */
#ifndef BASE_SANITIZE_H
#define BASE_SANITIZE_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZE_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZE_ADDRESS 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZE_THREAD 1
#endif
#endif

#ifdef SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
static inline void sanitize_poison(const void *at, size_t size)
{
	__asan_poison_memory_region(at, size);
}

static inline void sanitize_unpoison(const void *at, size_t size)
{
	__asan_unpoison_memory_region(at, size);
}
#else
static inline void sanitize_poison(const void *at, size_t size)
{
	(void)at;
	(void)size;
}

static inline void sanitize_unpoison(const void *at, size_t size)
{
	(void)at;
	(void)size;
}
#endif

#endif
