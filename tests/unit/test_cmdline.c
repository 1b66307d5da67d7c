/* SOURCES: common/core/cmdline.c */
/* Command line: words, values, quotes, booleans, sizes, and what nobody asked for. */
#include "captured_log.h"

#include <hv/cmdline.h>

static char buf[16];

static void values(void **s) {
    (void)s;
    cmdline_init("  console=dtuart  dtuart=/pl011@9000000 flag a=1 a=2 empty= x=\"two words\" ");
    assert_true(cmdline_get("console", buf, sizeof(buf)));
    assert_string_equal(buf, "dtuart");
    assert_true(cmdline_get("a", buf, sizeof(buf)));
    assert_string_equal(buf, "2"); /* the last one counts */
    assert_true(cmdline_get("empty", buf, sizeof(buf)));
    assert_string_equal(buf, "");
    assert_true(cmdline_get("x", buf, sizeof(buf)));
    assert_string_equal(buf, "two words");
    assert_false(cmdline_get("flag", buf, sizeof(buf)));  /* has no value */
    assert_false(cmdline_get("cons", buf, sizeof(buf)));  /* no prefix matches */
    assert_false(cmdline_get("words", buf, sizeof(buf))); /* inside quotes */
    assert_string_equal(log_text, "");
}

static void value_too_long(void **s) {
    (void)s;
    log_clear();
    cmdline_init("a=0123456789abcde b=0123456789abcdef");
    assert_true(cmdline_get("a", buf, sizeof(buf))); /* fifteen and a NUL */
    assert_false(cmdline_get("b", buf, sizeof(buf)));
    assert_logged("b: value too long");
    assert_int_equal(log_lines(), 1);
}

static void booleans(void **s) {
    (void)s;
    log_clear();
    cmdline_init("on no-off yes=yes one=1 enable=enable no=no zero=0 disable=disable odd=maybe");
    assert_true(cmdline_bool("on", false));
    assert_false(cmdline_bool("off", true));
    assert_true(cmdline_bool("yes", false));
    assert_true(cmdline_bool("one", false));
    assert_true(cmdline_bool("enable", false));
    assert_false(cmdline_bool("no", true));
    assert_false(cmdline_bool("zero", true));
    assert_false(cmdline_bool("disable", true));
    assert_true(cmdline_bool("absent", true));
    assert_false(cmdline_bool("absent", false));
    assert_string_equal(log_text, "");
    assert_true(cmdline_bool("odd", true));
    assert_logged("odd: expected yes or no, got \"maybe\"");
}

static void choices(void **s) {
    (void)s;
    log_clear();
    cmdline_init("a=one b=two d");
    assert_false(cmdline_choice("a", "one", "two"));
    assert_true(cmdline_choice("b", "one", "two"));
    assert_false(cmdline_choice("absent", "one", "two"));
    assert_string_equal(log_text, "");
    assert_false(cmdline_choice("b", "one", "tw"));
    assert_logged("b: expected one or tw, got \"two\"; one\n");
    assert_false(cmdline_choice("b", "one", NULL));
    assert_logged("b: expected one, got \"two\"; one\n");
    assert_false(cmdline_choice("d", "one", "two"));
    assert_logged("d: expected one or two, got \"\"; one\n");
    assert_int_equal(log_lines(), 3);
}

static void sizes(void **s) {
    (void)s;
    log_clear();
    cmdline_init(
        "a=64M b=0x10k c=3G d=512 e=12Q f= g h=99999999999999999999 i=0x100000000000G j=4KB");
    assert_int_equal(cmdline_size("a", 1), 64 << 20);
    assert_int_equal(cmdline_size("b", 1), 16 << 10);
    assert_int_equal(cmdline_size("c", 1), 3ULL << 30);
    assert_int_equal(cmdline_size("d", 1), 512);
    assert_int_equal(cmdline_size("absent", 7), 7);
    assert_string_equal(log_text, "");
    for (const char *name = "efghij"; *name; name++) {
        char one[2] = {*name, 0};

        assert_int_equal(cmdline_size(one, 7), 7);
    }
    assert_int_equal(log_lines(), 6);
}

static void unknown_words(void **s) {
    (void)s;
    log_clear();
    cmdline_init("known=1 strange no-flag other=\"a b\"");
    cmdline_get("known", buf, sizeof(buf));
    cmdline_bool("flag", true);
    cmdline_report_unknown();
    assert_logged("\"strange\"");
    assert_logged("\"other=\"a b\"\"");
    assert_int_equal(log_lines(), 2);
}

static void many_words(void **s) {
    char line[2000] = "";

    (void)s;
    log_clear();
    for (unsigned i = 0; i < 100; i++)
        sprintf(line + strlen(line), "w%u=%u ", i, i);
    cmdline_init(line);
    for (unsigned i = 0; i < 100; i++) {
        char name[8];

        sprintf(name, "w%u", i);
        assert_int_equal(cmdline_size(name, 1000), i);
    }
    cmdline_report_unknown();
    assert_string_equal(log_text, "");
    cmdline_init(NULL);
    assert_false(cmdline_get("w1", buf, sizeof(buf)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),  cmocka_unit_test(value_too_long), cmocka_unit_test(booleans),
        cmocka_unit_test(sizes),   cmocka_unit_test(unknown_words),  cmocka_unit_test(many_words),
        cmocka_unit_test(choices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
