/* lock_watch_end.h - see lock_watch.h; may be included again and again, as that. */
#undef pthread_mutex_init
#undef pthread_mutex_destroy
#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef pthread_cond_wait
