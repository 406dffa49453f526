/* report.h - prints the mistakes in a conf, for the person at the terminal. */
#ifndef CORE_HOST_REPORT_H
#define CORE_HOST_REPORT_H

#include <stdio.h>

#include "conf/conf.h"

/* Errors and warnings of a conf, one a line, with their number behind them; 1 when there are
 * errors, else 0. */
int report_problems(const struct conf *conf, FILE *errors);

#endif
