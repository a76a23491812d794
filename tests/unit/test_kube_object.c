/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as the API server gives them, and the documents that they become. */
#include "test_kube_object.h"

#include "user/policy/policy.h"

const struct kube_kind *kind_of(const char *kind)
{
	for (size_t i = 0; i < kube_kinds_n; i++)
		if (streq(kube_kinds[i].resource.kind, kind))
			return &kube_kinds[i];
	cr_assert(false, "no kind %s", kind);
	return NULL;
}

json_t *load(const char *text)
{
	json_error_t error;
	/* Single quotes, as every other one would need a backslash. */
	char *copy = strdup(text);
	json_t *object;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	object = json_loads(copy, 0, &error);
	cr_assert_not_null(object, "%s: %s", error.text, copy);
	free(copy);
	return object;
}

/* What @text becomes; with quotes as above; "" for no document. The caller's. */
static char *document_of(const char *kind, const char *text, int expected)
{
	json_t *object = load(text);
	char *before = json_dumps(object, JSON_SORT_KEYS), *after, *ret = NULL;
	int r = kind_of(kind)->document(object, &ret);

	cr_assert_eq(r, expected, "%d for %s", r, text);
	after = json_dumps(object, JSON_SORT_KEYS);
	cr_assert_str_eq(before, after, "the object was changed");
	free(before);
	free(after);
	json_decref(object);
	if (!ret)
		return strdup("");
	for (char *c = ret; *c; c++)
		if (*c == '"')
			*c = '\'';
	return ret;
}

static void expect(const char *kind, const char *text, const char *expected)
{
	char *document = document_of(kind, text, 0);

	cr_expect_str_eq(document, expected, "\n%s\nexpected\n%s", document, expected);
	free(document);
}

static void expect_refusal(const char *kind, const char *text)
{
	free(document_of(kind, text, -EINVAL));
}

#define WORKLOAD_OF(meta, spec)                                                        \
	"{'apiVersion':'countersign.dev/v1alpha1','kind':'Workload','metadata':{" meta \
	"'name':'web-1','namespace':'shop'},'spec':{" spec "}}"
#define UID "'podUID':'7f1a2b3c-0000-4000-8000-000000000001'"

Test(kube_object, pod_becomes_a_workload)
{
	expect("Pod",
	       POD_OF(",'labels':{'b':'2','a':'1'},'resourceVersion':'77','managedFields':[{}],"
		      "'annotations':{'x':'y'}",
		      ",'serviceAccountName':'web','tolerations':[],'containers':[{'name':'c',"
		      "'image':'i','ports':[{'name':'http','containerPort':8080,'protocol':'TCP'},"
		      "{'containerPort':9}]}]",
		      "'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'},"
		      "{'ip':'FD00:0::1'}],'conditions':[]"),
	       WORKLOAD_OF("'labels':{'a':'1','b':'2'},",
			   "'addresses':['10.0.0.1','fd00::1'],'node':'n1'," UID
			   ",'ports':[{'name':'http','port':8080,'protocol':'TCP'}],"
			   "'serviceAccount':'web'"));
}

Test(kube_object, pods_that_mean_nothing_have_no_document)
{
	expect("Pod", POD_OF("", "", "'phase':'Succeeded','podIP':'10.0.0.1'"), "");
	expect("Pod", POD_OF("", "", "'phase':'Failed'"), "");
	expect("Pod", POD_OF("", ",'nodeName':''", ""), "");
	expect("Pod",
	       "{'kind':'Pod','metadata':{'name':'a','namespace':'b','uid':'c'},'spec':{},"
	       "'status':{'phase':'Pending'}}",
	       "");
}

Test(kube_object, pods_live_on_in_all_other_states)
{
	static const char bare[] =
		WORKLOAD_OF("", "'node':'n1'," UID ",'serviceAccount':'default'");

	/* On its way out, it still sends; and a phase nobody has heard of is no end. */
	expect("Pod",
	       POD_OF(",'deletionTimestamp':'2026-01-01T00:00:00Z'", "", "'phase':'Running'"),
	       bare);
	expect("Pod", POD_OF("", "", "'phase':'Unknown'"), bare);
	expect("Pod", POD_OF("", "", "'phase':'Hibernating'"), bare);
	expect("Pod", POD_OF("", "", "'phase':''"), bare);
	expect("Pod", POD_OF("", "", "'phase':null,'podIPs':null,'podIP':''"), bare);
	expect("Pod",
	       "{'kind':'Pod','metadata':{'name':'web-1','namespace':'shop',"
	       "'uid':'7f1a2b3c-0000-4000-8000-000000000001'},'spec':{'nodeName':'n1'}}",
	       bare);
}

Test(kube_object, mirror_pods_have_the_uid_of_the_static_pod)
{
	static const char hash[] = "'kubernetes.io/config.hash':'0123456789abcdef0123456789abcdef'";
	char text[2048];

	snprintf(text, sizeof(text),
		 POD_OF(",'annotations':{%s,'kubernetes.io/config.mirror':'x'}", "", ""), hash);
	expect("Pod", text,
	       WORKLOAD_OF("", "'node':'n1','podUID':'0123456789abcdef0123456789abcdef',"
			       "'serviceAccount':'default'"));
	/* Without the mark of a mirror pod the annotation is anybody's. */
	snprintf(text, sizeof(text), POD_OF(",'annotations':{%s}", "", ""), hash);
	expect("Pod", text, WORKLOAD_OF("", "'node':'n1'," UID ",'serviceAccount':'default'"));
}

Test(kube_object, mirror_pods_cannot_take_another_pods_uid)
{
#define MIRROR_OF(hash)                                                                              \
	POD_OF(",'annotations':{'kubernetes.io/config.mirror':'x','kubernetes.io/config.hash':" hash \
	       "}",                                                                                  \
	       "", "")
	expect_refusal("Pod", MIRROR_OF("'7f1a2b3c-0000-4000-8000-000000000002'"));
	expect_refusal("Pod", MIRROR_OF("'0123456789ABCDEF0123456789abcdef'"));
	expect_refusal("Pod", MIRROR_OF("'0123456789abcdef0123456789abcde'"));
	expect_refusal("Pod", MIRROR_OF("'../../../../../../../../../../aa'"));
	expect_refusal("Pod", MIRROR_OF("''"));
	expect_refusal("Pod", MIRROR_OF("null"));
	expect_refusal("Pod", MIRROR_OF("{}"));
	expect_refusal("Pod", POD_OF(",'annotations':{'kubernetes.io/config.mirror':'x'}", "", ""));
}

Test(kube_object, host_network_pods_have_no_addresses)
{
	expect("Pod",
	       POD_OF("", ",'hostNetwork':true",
		      "'podIP':'192.0.2.1','podIPs':[{'ip':'192.0.2.1'}]"),
	       WORKLOAD_OF("",
			   "'hostNetwork':true,'node':'n1'," UID ",'serviceAccount':'default'"));
	expect("Pod", POD_OF("", ",'hostNetwork':false", "'podIP':'192.0.2.1'"),
	       WORKLOAD_OF("", "'addresses':['192.0.2.1'],'node':'n1'," UID
			       ",'serviceAccount':'default'"));
	expect_refusal("Pod", POD_OF("", ",'hostNetwork':'true'", ""));
}

Test(kube_object, first_container_with_a_port_name_wins)
{
	expect("Pod",
	       POD_OF("",
		      ",'containers':[{'ports':[{'name':'dns','containerPort':53,'protocol':'UDP'},"
		      "{'name':'dns','containerPort':54}]},"
		      "{'ports':[{'name':'dns','containerPort':55,'protocol':'UDP'},"
		      "{'name':'dns','containerPort':56,'protocol':'TCP'}]},{'ports':null},{}]",
		      ""),
	       WORKLOAD_OF("",
			   "'node':'n1'," UID ",'ports':[{'name':'dns','port':53,'protocol':'UDP'},"
			   "{'name':'dns','port':54,'protocol':'TCP'}],"
			   "'serviceAccount':'default'"));
}

Test(kube_object, sidecars_have_ports_and_what_ends_before_the_start_has_none)
{
	expect("Pod",
	       POD_OF("",
		      ",'containers':[{'ports':[{'name':'a','containerPort':1}]}],"
		      "'initContainers':[{'ports':[{'name':'b','containerPort':2}]},"
		      "{'restartPolicy':'Always','ports':[{'name':'c','containerPort':3},"
		      "{'name':'a','containerPort':4}]},"
		      "{'restartPolicy':'Never','ports':[{'name':'d','containerPort':5}]}],"
		      "'ephemeralContainers':[{'ports':[{'name':'e','containerPort':6}]}]",
		      ""),
	       WORKLOAD_OF("",
			   "'node':'n1'," UID ",'ports':[{'name':'a','port':1,'protocol':'TCP'},"
			   "{'name':'c','port':3,'protocol':'TCP'}],"
			   "'serviceAccount':'default'"));
}

Test(kube_object, addresses_are_given_once_and_checked)
{
	expect("Pod",
	       POD_OF("", "",
		      "'podIPs':[{'ip':'fd00::1'},{'ip':''},{'ip':'fd00:0:0::1'},{}],"
		      "'podIP':'10.0.0.9'"),
	       WORKLOAD_OF("", "'addresses':['fd00::1'],'node':'n1'," UID
			       ",'serviceAccount':'default'"));
	expect_refusal("Pod", POD_OF("", "", "'podIP':'10.0.0.256'"));
	expect_refusal("Pod", POD_OF("", "", "'podIP':'010.0.0.1'"));
	expect_refusal("Pod", POD_OF("", "", "'podIP':'host.example'"));
	expect_refusal("Pod", POD_OF("", "", "'podIPs':[{'ip':'10.0.0.1'},{'ip':'x'}]"));
	expect_refusal("Pod", POD_OF("", "", "'podIPs':[{'ip':7}]"));
	expect_refusal("Pod", POD_OF("", "", "'podIPs':['10.0.0.1']"));
	expect_refusal("Pod", POD_OF("", "", "'podIPs':{'ip':'10.0.0.1'}"));
}

Test(kube_object, identity_comes_from_no_label)
{
	expect("Pod",
	       POD_OF(",'labels':{'io.kubernetes.pod.namespace':'kube-system',"
		      "'io.cilium.k8s.policy.serviceaccount':'root','serviceAccount':'root'}",
		      ",'serviceAccountName':'web','serviceAccount':'old'", ""),
	       WORKLOAD_OF("'labels':{'io.cilium.k8s.policy.serviceaccount':'root',"
			   "'io.kubernetes.pod.namespace':'kube-system',"
			   "'serviceAccount':'root'},",
			   "'node':'n1'," UID ",'serviceAccount':'web'"));
	expect("Pod", POD_OF("", ",'serviceAccountName':''", ""),
	       WORKLOAD_OF("", "'node':'n1'," UID ",'serviceAccount':'default'"));
	expect_refusal("Pod", POD_OF("", ",'serviceAccountName':[]", ""));
}

Test(kube_object, what_is_no_pod_is_refused)
{
	expect_refusal("Pod", "{'kind':'Node','metadata':{'name':'a'},'spec':{'nodeName':'n'}}");
	expect_refusal("Pod", "{'kind':'Pod'}");
	expect_refusal("Pod", "{'kind':'Pod','metadata':{},'spec':{'nodeName':'n'}}");
	expect_refusal("Pod", "{'kind':'Pod','metadata':{'name':7},'spec':{'nodeName':'n'}}");
	expect_refusal("Pod", "{'kind':'Pod','metadata':{'name':'a','namespace':{}},'spec':{}}");
	expect_refusal("Pod", "{'kind':'Pod','metadata':{'name':'a','uid':'u'},'spec':[]}");
	/* No UID: its cgroup could be anybody's. */
	expect_refusal("Pod", "{'kind':'Pod','metadata':{'name':'a'},'spec':{'nodeName':'n'}}");
	expect_refusal("Pod", "{'kind':'Pod','metadata':{'name':'a','uid':'u'},"
			      "'spec':{'nodeName':7}}");
	expect_refusal("Pod", POD_OF("", "", "'phase':7"));
	expect_refusal("Pod", POD_OF("", ",'containers':{}", ""));
	expect_refusal("Pod", POD_OF("", ",'containers':[{'ports':{}}]", ""));
	expect_refusal("Pod", POD_OF("", ",'containers':[{'ports':[7]}]", ""));
	expect_refusal("Pod", POD_OF("", ",'containers':[{'ports':[{'name':'a'}]}]", ""));
}

#define META(kind, name) "'kind':'" kind "','metadata':{'name':'" name "'"

Test(kube_object, others_pass_with_the_fields_that_matter)
{
	expect("Namespace",
	       "{'apiVersion':'v1'," META(
		       "Namespace",
		       "shop") ",'uid':'u','generation':3,"
			       "'creationTimestamp':'2026-01-01T00:00:00Z','labels':{'team':'a'},"
			       "'annotations':{'kubectl':'x','countersign.dev/mode':'y'},"
			       "'resourceVersion':'9'},'spec':{'finalizers':['kubernetes']},"
			       "'status':{'phase':'Active'}}",
	       "{'apiVersion':'v1','kind':'Namespace','metadata':{'annotations':"
	       "{'countersign.dev/mode':'y'},'creationTimestamp':'2026-01-01T00:00:00Z',"
	       "'generation':3,'labels':{'team':'a'},'name':'shop','uid':'u'}}");
	expect("NetworkPolicy",
	       "{" META("NetworkPolicy",
			"p") ",'namespace':'shop','annotations':{'a':'b'}},"
			     "'spec':{'podSelector':{},'unknown':1},'status':{'conditions':[]}}",
	       "{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':"
	       "{'name':'p','namespace':'shop'},'spec':{'podSelector':{},'unknown':1}}");
	expect_refusal("NetworkPolicy", "{" META("IdentityPolicy", "p") "}}");
	expect_refusal("Namespace", "{'kind':'Namespace','metadata':'shop'}");
}

Test(kube_object, services_and_slices_pass)
{
	expect("Service",
	       "{" META(
		       "Service",
		       "s") ",'namespace':'shop'},'spec':{'type':'LoadBalancer',"
			    "'clusterIP':'10.96.0.9','clusterIPs':['10.96.0.9'],'selector':{'a':'b'},"
			    "'ports':[{'name':'w','port':80,'targetPort':'http','nodePort':30080,"
			    "'protocol':'TCP'}]},'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.7',"
			    "'ipMode':'VIP','ports':[]}]},'conditions':[]}}",
	       "{'apiVersion':'v1','kind':'Service','metadata':{'name':'s','namespace':'shop'},"
	       "'spec':{'clusterIP':'10.96.0.9','clusterIPs':['10.96.0.9'],'ports':[{'name':'w',"
	       "'port':80,'protocol':'TCP'}],'type':'LoadBalancer'},'status':{'loadBalancer':"
	       "{'ingress':[{'ip':'192.0.2.7','ipMode':'VIP'}]}}}");
	expect("Service",
	       "{" META("Service",
			"s") "},'spec':{'type':'ExternalName','externalName':'a.example',"
			     "'externalIPs':['192.0.2.7'],'ports':[{'port':80}]}}",
	       "");
	expect("EndpointSlice",
	       "{" META(
		       "EndpointSlice",
		       "e") "},'addressType':'IPv4','endpoints':[{'addresses':"
			    "['10.0.0.1'],'conditions':{'ready':false,'serving':true},'targetRef':{},"
			    "'nodeName':'n'}],'ports':[{'name':'','port':80,'protocol':'TCP',"
			    "'appProtocol':'h2'}]}",
	       "{'addressType':'IPv4','apiVersion':'discovery.k8s.io/v1','endpoints':[{'addresses':"
	       "['10.0.0.1'],'conditions':{'ready':false}}],'kind':'EndpointSlice','metadata':"
	       "{'name':'e'},'ports':[{'name':'','port':80,'protocol':'TCP'}]}");
	/* An empty slice is null in Go's JSON. */
	expect("EndpointSlice",
	       "{" META("EndpointSlice", "e") "},'addressType':'IPv6','endpoints':null,"
					      "'ports':null}",
	       "{'addressType':'IPv6','apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice',"
	       "'metadata':{'name':'e'}}");
	expect("EndpointSlice",
	       "{" META("EndpointSlice", "e") "},'addressType':'FQDN','endpoints':[{'addresses':"
					      "['a.example']}],'ports':[]}",
	       "");
	expect_refusal("EndpointSlice", "{" META("EndpointSlice", "e") "},'endpoints':{}}");
	expect_refusal("EndpointSlice", "{" META("EndpointSlice", "e") "},'endpoints':[7]}");
}

Test(kube_object, workloads_do_not_name_cgroups_of_pods)
{
	expect("Workload",
	       "{" META(
		       "Workload",
		       "w") ",'namespace':'shop'},'spec':{'serviceAccount':'a',"
			    "'podUID':'7f1a2b3c-0000-4000-8000-000000000001','systemdUnit':'a.service'}}",
	       "{'apiVersion':'countersign.dev/v1alpha1','kind':'Workload','metadata':{'name':'w',"
	       "'namespace':'shop'},'spec':{'serviceAccount':'a','systemdUnit':'a.service'}}");
}

/* ---- what the parsers say ---- */

/* Without podUID, which a parser of its own test reads. */
static void expect_parses(const char *kind, const char *text)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	struct policy_errors errors = { 0 };
	json_t *object = load(text);
	char *document = NULL;

	cr_assert_eq(kind_of(kind)->document(object, &document), 0);
	cr_assert_not_null(document);
	cr_assert_eq(policy_set_new(&set), 0);
	if (policy_set_parse(set, "x", document, strlen(document), &errors) < 0)
		cr_expect(false, "%s: %s: %s", document, errors.item[0].field,
			  errors.item[0].message);
	policy_errors_done(&errors);
	json_decref(object);
	free(document);
}

#define LIVE                                                                                       \
	",'uid':'u','generation':1,'creationTimestamp':'2026-01-01T00:00:00Z','labels':{'a':'b'}," \
	"'annotations':{'countersign.dev/audit-since':'2026-01-01T00:00:00Z'}"

Test(kube_object, parsers_take_the_documents)
{
	expect_parses("Pod", POD_OF(",'labels':{'a':'b'}",
				    ",'hostNetwork':true,'containers':[{'ports':[{'name':'a',"
				    "'containerPort':1}]}]",
				    ""));
	expect_parses("Namespace", "{" META("Namespace", "n") LIVE "}}");
	expect_parses("Node", "{" META("Node", "n") LIVE
		      "},'spec':{'podCIDRs':['10.0.0.0/24']},'status':"
		      "{'addresses':[{'type':'InternalIP','address':'192.0.2.1'},"
		      "{'type':'Hostname','address':'n'}]}}");
	/* A node that has only just come. */
	expect_parses("Node", "{" META("Node", "n") "},'spec':{},'status':{}}");
	expect_parses("Node", "{" META("Node", "n") "},'status':{'addresses':null}}");
	expect_parses("Service", "{" META("Service", "s") LIVE
		      "},'spec':{'clusterIP':'None',"
		      "'clusterIPs':['None'],'type':'ClusterIP','ports':[{'port':1}]}}");
	/* No selector: whoever writes the slices says who is behind it. */
	expect_parses("Service",
		      "{" META("Service",
			       "s") "},'spec':{'clusterIP':'10.96.0.1',"
				    "'ports':[{'port':443}]},'status':{'loadBalancer':{}}}");
	expect_parses("EndpointSlice",
		      "{" META("EndpointSlice", "e") LIVE "},'addressType':'IPv4',"
							  "'endpoints':null,'ports':null}");
	expect_parses("NetworkPolicy", "{" META("NetworkPolicy", "p") LIVE
		      ",'namespace':'n'},'spec':{'podSelector':"
		      "{'matchLabels':{'a':'b'}},'policyTypes':['Ingress'],'ingress':[{}]}}");
	expect_parses("IdentityPolicy", "{" META("IdentityPolicy", "p") LIVE
		      ",'namespace':'n'},'spec':{'subject':{'selector':{}},"
		      "'ingress':[]}}");
	expect_parses("Revocation",
		      "{" META("Revocation", "r") LIVE "},'spec':{'nodes':['a'],"
						       "'reason':'lost \\u2028 \\ud83d\\ude00'}}");
	expect_parses("BaselineAdminNetworkPolicy",
		      "{" META("BaselineAdminNetworkPolicy", "default") LIVE
		      "},'spec':{'subject':{'namespaces':{}}}}");
}

Test(kube_object, hostile_pods_end_in_a_refusal_or_a_document)
{
	json_t *object = load(POD_OF("", ",'containers':[{'ports':[]}]", "'podIPs':[]"));
	json_t *labels = json_object(), *ports;
	char key[64], *text = NULL;

	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "label-%d", i);
		json_object_set_new(labels, key, json_string("v"));
	}
	json_object_set_new(json_object_get(object, "metadata"), "labels", labels);
	ports = json_object_get(
		json_array_get(json_object_get(json_object_get(object, "spec"), "containers"), 0),
		"ports");
	for (int i = 0; i < 2000; i++)
		json_array_append_new(ports, json_pack("{s:s, s:i}", "name", i % 2 ? "a" : "b",
						       "containerPort", i));
	cr_assert_eq(kind_of("Pod")->document(object, &text), 0);
	cr_assert_not_null(strstr(text, "label-19999"));
	cr_assert_null(strstr(text, "\"port\":2"));
	free(text);
	json_decref(object);
}

Test(kube_object, names_are_of_one_object_each)
{
	char name[KUBE_DOCUMENT_NAME_MAX] = "untouched", big[KUBE_DOCUMENT_NAME_MAX + 1];

	cr_assert_eq(kube_document_name("Pod", "shop", "web-1", name), 0);
	cr_assert_str_eq(name, "Pod/shop/web-1");
	cr_assert_eq(kube_document_name("Node", "", "host-a", name), 0);
	cr_assert_str_eq(name, "Node/host-a");
	cr_assert_eq(kube_document_name("Node", NULL, "host-a", name), 0);
	cr_assert_str_eq(name, "Node/host-a");
	cr_assert_eq(kube_document_name("Pod", "a", "b/c", name), -EINVAL);
	cr_assert_eq(kube_document_name("Pod", "a/b", "c", name), -EINVAL);
	cr_assert_eq(kube_document_name("Pod", "a", "", name), -EINVAL);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	cr_assert_eq(kube_document_name("Pod", "a", big, name), -ENAMETOOLONG);
	cr_assert_str_eq(name, "Node/host-a");
}

/* Every path of every kind is one that kube_kind's document() and the reflector can walk. */
Test(kube_object, tables_are_sound)
{
	for (size_t i = 0; i < kube_kinds_n; i++) {
		const struct kube_resource *resource = &kube_kinds[i].resource;

		cr_expect(resource->group && resource->version && resource->plural);
		cr_expect_not_null(kube_kinds[i].document);
		cr_assert_not_null(resource->fields);
		for (const char *const *field = resource->fields; *field; field++)
			cr_expect(*field[0] && !strstr(*field, "..") && !strchr(*field, ' '));
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(resource->kind, kube_kinds[k].resource.kind);
	}
}
