/* environment.h - finds well-known environment variables that are set but unused by the conf. */
#ifndef CORE_CONF_ENVIRONMENT_H
#define CORE_CONF_ENVIRONMENT_H

#include "conf/conf.h"

/* One warning for all of them: who sets DATABASE_URL expects that database to be used. */
void environment_check(struct conf *conf, const struct conf_environment *environment);

/* Whether a value of the conf has ${NAME} or ${NAME:-...} in it. */
bool environment_is_used(const struct conf *conf, const char *name);

#endif
