/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of which something was replaced, wherever it is. */
#include "test_kube_object.h"

static json_t *anything(unsigned int *seed)
{
	switch (rand_r(seed) % 7) {
	case 0:
		return json_null();
	case 1:
		return json_integer(rand_r(seed));
	case 2:
		return json_string("");
	case 3:
		return json_string("10.0.0.1");
	case 4:
		return json_array();
	case 5:
		return json_object();
	default:
		return json_boolean(rand_r(seed) % 2);
	}
}

/* Replaces one value, wherever it is, or takes it away. */
static void damage(json_t *value, unsigned int *seed)
{
	size_t n = json_is_object(value) ? json_object_size(value) : json_array_size(value);
	size_t i = n ? rand_r(seed) % n : 0;
	const char *key = NULL;
	json_t *below;

	if (!n)
		return;
	for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
		if (i-- == 0)
			key = json_object_iter_key(at);
	below = key ? json_object_get(value, key) : json_array_get(value, i);
	if (rand_r(seed) % 4 && (json_object_size(below) || json_array_size(below)))
		damage(below, seed);
	else if (key && rand_r(seed) % 4 == 0)
		json_object_del(value, key);
	else if (key)
		json_object_set_new(value, key, anything(seed));
	else
		json_array_set_new(value, i, anything(seed));
}

Test(kube_object_random, damaged_objects_are_refused_or_become_a_document, .timeout = 60)
{
	static const char *const texts[][2] = {
		{ "Pod",
		  POD_OF(",'labels':{'a':'b'},'annotations':{'kubernetes.io/config.mirror':"
			 "'x','kubernetes.io/config.hash':'"
			 "0123456789abcdef0123456789abcdef'}",
			 ",'hostNetwork':false,'serviceAccountName':'a','containers':"
			 "[{'ports':[{'name':'a','containerPort':1,'protocol':'UDP'}]}],"
			 "'initContainers':[{'restartPolicy':'Always','ports':[{'name':'b',"
			 "'containerPort':2}]}]",
			 "'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}]") },
		{ "Service", "{'kind':'Service','metadata':{'name':'s','annotations':{'a':'b'}},"
			     "'spec':{'ports':[{'port':1}],'clusterIPs':['10.0.0.1']},'status':"
			     "{'loadBalancer':{'ingress':[{'ip':'10.0.0.2'}]}}}" },
		{ "EndpointSlice", "{'kind':'EndpointSlice','metadata':{'name':'s'},'addressType':"
				   "'IPv4','endpoints':[{'addresses':['10.0.0.1'],'conditions':"
				   "{'ready':true}}],'ports':[{'port':1}]}" },
	};
	size_t made = 0, refused = 0;
	unsigned int seed = 5;

	for (int i = 0; i < 30000; i++) {
		json_t *object = load(texts[i % 3][1]);
		char *text = NULL;
		int r;

		for (int n = rand_r(&seed) % 3; n >= 0; n--)
			damage(object, &seed);
		r = kind_of(texts[i % 3][0])->document(object, &text);
		cr_assert(r == 0 || (r == -EINVAL && !text), "%d", r);
		made += text != NULL;
		refused += r < 0;
		free(text);
		json_decref(object);
	}
	cr_assert_gt(made, 1000);
	cr_assert_gt(refused, 1000);
}
