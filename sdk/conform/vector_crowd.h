/* vector_crowd.h - cases of the vector contract about several collections, many points and many
 * workers at once. */
#ifndef BACKPLANE_CONFORM_VECTOR_CROWD_H
#define BACKPLANE_CONFORM_VECTOR_CROWD_H

#include "conform.h"

bp_status collections_do_not_see_each_other(bp_call *call, struct conform *conform);
bp_status what_names_nothing_finds_and_deletes_nothing(bp_call *call, struct conform *conform);
bp_status ten_thousand_points_are_one_write(bp_call *call, struct conform *conform);
bp_status what_a_sink_keeps_stays(bp_call *call, struct conform *conform);
bp_status a_dropped_collection_is_gone_for_every_worker(bp_call *call, struct conform *conform);
bp_status workers_make_fill_and_drop_one_collection(bp_call *call, struct conform *conform);

#endif
