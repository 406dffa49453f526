/* test_filter.c - filter.c: filters as clients write them, and the typed trees that reach the
 * vector store.
 */
#include "plugins/app_retrieval/retrieval_test.h"

/* The tree behind "filter " in the trace, or the refusal. */
static const char *tree_of(const char *filter)
{
    char           body[2048];
    testhost_reply reply;
    const char    *at;

    snprintf(body, sizeof(body), "{\"query\":\"q\",\"mode\":\"words\",\"filter\":%s}", filter);
    forget();
    reply = request("POST", "/api/v1/search", body);
    if (reply.status != BP_OK)
        return told(reply);
    trace[trace_len - 1] = '\0';
    at = strstr(trace, " filter ");
    return at ? at + strlen(" filter ") : "none";
}

static const struct {
    const char *filter, *tree;
} cases[] = {
    { "null", "none" },
    { "{}", "and()" },
    { "{\"a\":\"x\"}", "in(a 'x')" },
    { "{\"a\":3}", "in(a 3=3)" },
    { "{\"a\":3.0}", "in(a 3=3)" },
    { "{\"a\":3.5}", "in(a 3.5)" },
    { "{\"a\":-3}", "in(a -3=-3)" },
    { "{\"a\":9223372036854775807}", "in(a 9.22337e+18=9223372036854775807)" },
    { "{\"a\":-9223372036854775808}", "in(a -9.22337e+18=-9223372036854775808)" },
    { "{\"a\":-9223372036854775808.0}", "in(a -9.22337e+18=-9223372036854775808)" },
    { "{\"a\":9223372036854775807.0}", "in(a 9.22337e+18)" },
    { "{\"a\":9223372036854774784.0}", "in(a 9.22337e+18=9223372036854774784)" },
    { "{\"a\":-9223372036854777856.0}", "in(a -9.22337e+18)" },
    { "{\"a\":true}", "in(a true)" },
    { "{\"a\":false}", "in(a false)" },
    { "{\"a\":[]}", "in(a)" },
    { "{\"a\":[1,\"b\",true]}", "in(a 1=1 'b' true)" },
    { "{\"a\":null}", "400 filter: \"a\" must be compared with a text, a number or a boolean" },
    { "{\"a\":[[1]]}", "400 filter: \"a\" must be compared with a text, a number or a boolean" },
    { "{\"a\":{\"in\":[1,2]}}", "in(a 1=1 2=2)" },
    { "{\"a\":{\"in\":7}}", "in(a 7=7)" },
    { "{\"a\":{\"eq\":\"x\"}}", "in(a 'x')" },
    { "{\"a\":{\"gt\":1}}", "range(a ]1=1 inf])" },
    { "{\"a\":{\"gte\":1}}", "range(a [1=1 inf])" },
    { "{\"a\":{\"lt\":1}}", "range(a [-inf 1=1[)" },
    { "{\"a\":{\"lte\":1.5}}", "range(a [-inf 1.5])" },
    { "{\"a\":{\"gte\":1.5,\"lt\":5}}", "range(a [1.5 5=5[)" },
    { "{\"a\":{\"lt\":5,\"gt\":1}}", "range(a ]1=1 5=5[)" },
    { "{\"a\":{\"gt\":\"x\"}}", "400 filter: \"gt\" of \"a\" must be a number" },
    { "{\"a\":{\"lte\":true}}", "400 filter: \"lte\" of \"a\" must be a number" },
    { "{\"a\":{\"prefix\":\"x\"}}", "prefix(a 'x')" },
    { "{\"a\":{\"exists\":true}}", "exists(a)" },
    { "{\"a\":{\"exists\":false}}", "gone(a)" },
    { "{\"a\":{\"in\":[1],\"lt\":2}}", "400 filter: \"a\" mixes a range with another operator" },
    { "{\"a\":{\"lt\":2,\"in\":[1]}}",
      "400 filter: \"a\" has more than one operator: use \"and\"" },
    { "{\"a\":{\"eq\":2,\"in\":[1]}}",
      "400 filter: \"a\" has more than one operator: use \"and\"" },
    { "{\"a\":{}}", "400 filter: \"a\" has no operator" },
    { "{\"a\":{\"near\":1}}", "400 filter: \"a\" has the operator \"near\"; eq, in, gt, gte, "
                              "lt, lte, prefix (a text) and exists (true or false) are known" },
    { "{\"a\":{\"prefix\":1}}",
      "400 filter: \"a\" has the operator \"prefix\"; eq, in, gt, gte, lt, lte, prefix (a "
      "text) and exists (true or false) are known" },
    { "{\"a\":{\"exists\":1}}",
      "400 filter: \"a\" has the operator \"exists\"; eq, in, gt, gte, lt, lte, prefix (a "
      "text) and exists (true or false) are known" },
    { "{\"a\":1,\"b\":2}", "and(in(a 1=1), in(b 2=2))" },
    { "{\"and\":[{\"a\":1},{\"b\":2}]}", "and(in(a 1=1), in(b 2=2))" },
    { "{\"or\":[{\"a\":1},{\"b\":2}]}", "or(in(a 1=1), in(b 2=2))" },
    { "{\"or\":[]}", "or()" },
    { "{\"or\":{}}", "400 filter: \"and\" and \"or\" take an array of filters" },
    { "{\"and\":1}", "400 filter: \"and\" and \"or\" take an array of filters" },
    { "{\"not\":{\"a\":1}}", "not(in(a 1=1))" },
    { "{\"not\":1}", "400 filter: each level is an object, and there are at most 8 of them" },
    { "[]", "400 filter: each level is an object, and there are at most 8 of them" },
    { "{\"a\":1,\"or\":[{\"b\":1,\"c\":2},{}],\"not\":{\"d\":{\"gt\":0}}}",
      "and(in(a 1=1), or(and(in(b 1=1), in(c 2=2)), and()), not(range(d ]0=0 inf])))" },
    { "{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"a\":1}}}}}}}}",
      "not(not(not(not(not(not(not(in(a 1=1))))))))" },
    { "{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"not\":{\"a\":1}}}}}}}}"
      "}",
      "400 filter: each level is an object, and there are at most 8 of them" },
    { "{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"a\":1}]}]}]}]}]}]}]}",
      "or(or(or(or(or(or(or(in(a 1=1))))))))" },
    { "{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"or\":[{\"a\":1}]}]}]}]"
      "}"
      "]}]}]}]}",
      "400 filter: each level is an object, and there are at most 8 of them" },
};

static void filters_become_trees(void **state)
{

    (void)state;
    START({ "candidates", "10" });
    make_collection("docs");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(tree_of(cases[i].filter), cases[i].tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(filters_become_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
