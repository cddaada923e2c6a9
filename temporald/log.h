/* log.h: lines on standard error, for people or, in JSON, for machines. */
#ifndef TEMPORALD_LOG_H
#define TEMPORALD_LOG_H

#include "flags.h"

/* What is less than the level is dropped. */
void log_open(enum log_level level, bool json);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
