#include "cmocka_all.h"

#include "base/base.h"
#include "base/list.h"

struct item {
    struct list link;
    int value;
};

static int take(struct list *head)
{
    struct list *first = list_take_first(head);
    return first == NULL ? -1 : CONTAINER_OF(first, struct item, link)->value;
}

static void members_leave_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    for (int i = 0; i < 3; i++) {
        list_append(&head, &items[i].link);
    }
    assert_int_equal(take(&head), 1);
    assert_int_equal(take(&head), 2);
    assert_int_equal(take(&head), 3);
    assert_int_equal(take(&head), -1);
    assert_true(list_is_empty(&head));
}

static void a_removed_member_is_on_no_list_and_can_be_removed_again(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    for (int i = 0; i < 3; i++) {
        list_append(&head, &items[i].link);
    }
    list_remove(&items[1].link);
    assert_true(list_is_empty(&items[1].link));
    list_remove(&items[1].link);
    assert_int_equal(take(&head), 1);
    assert_int_equal(take(&head), 3);
}

static void splicing_moves_all_members_behind_the_others(void **state)
{
    (void)state;
    struct list to, from;
    list_init(&to);
    list_init(&from);
    struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    list_append(&to, &items[0].link);
    list_append(&from, &items[1].link);
    list_append(&from, &items[2].link);
    list_splice(&to, &from);
    assert_true(list_is_empty(&from));
    list_splice(&to, &from);
    list_append(&to, &items[3].link);
    for (int expected = 1; expected <= 4; expected++) {
        assert_int_equal(take(&to), expected);
    }
    assert_true(list_is_empty(&to));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(a_removed_member_is_on_no_list_and_can_be_removed_again),
        cmocka_unit_test(splicing_moves_all_members_behind_the_others),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
