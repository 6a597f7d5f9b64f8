/**
 * @file
 * The end of quickjs.c (tools/quickjs.sh appends it): what makes an instance write to few of the pages that it begins with,
 * since each of them is copied and put back.
 *
 * Every block has a header with a count of references. Those of the snapshot get one that is so large that it is never
 * changed (js_rc_inc, js_rc_dec): they are for ever. The collector of cycles still counts up and down, and by more than
 * IMMORTAL_SLACK references it cannot. Properties that come to be when they are asked for come to be now.
 */

static void settle_properties(JSContext *ctx, JSObject *p)
{
    for (int i = 0; i < p->shape->prop_count; i++) {
        JSShapeProperty *prs = &get_shape_prop(p->shape)[i];
        if (prs->atom != JS_ATOM_NULL && (prs->flags & JS_PROP_TMASK) == JS_PROP_AUTOINIT) {
            JS_AutoInitProperty(ctx, p, prs->atom, &p->prop[i], prs);
        }
    }
}

void quickjs_settle(JSContext *ctx);
void quickjs_settle(JSContext *ctx)
{
    struct list_head *el;
    /* What is made on the way is behind in the list, and has its turn. */
    list_for_each(el, &ctx->rt->gc_obj_list)
    {
        JSGCObjectHeader *p = list_entry(el, JSGCObjectHeader, link);
        if (JS_GC_TYPE(p) == JS_GC_OBJ_TYPE_JS_OBJECT) {
            settle_properties(ctx, (JSObject *)p);
        }
    }
}

void quickjs_immortal(void *block);
void quickjs_immortal(void *block)
{
    ((JSMallocBlockHeader *)block)->ref_count += 2 * IMMORTAL_SLACK;
}
