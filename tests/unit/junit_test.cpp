#include "sim/report/junit.h"

#include <gtest/gtest.h>
#include <tinyxml2.h>

namespace trapline {
namespace {

using Verdict = TestResult::Verdict;

TEST(Junit, GroupsResultsByScenarioAndCountsThem) {
  const std::string xml = junit_xml({{"a.toml", "run", Verdict::passed, 1.5, "", ""},
                                     {"b.toml", "run", Verdict::failed, 2, "exit code 3", "PC 0"},
                                     {"a.toml", "golden trace", Verdict::not_applicable, 0,
                                      "it was made from other images: image.xen", ""}});
  tinyxml2::XMLDocument document;
  ASSERT_EQ(document.Parse(xml.c_str()), tinyxml2::XML_SUCCESS) << xml;
  const auto* a = document.RootElement()->FirstChildElement("testsuite");
  EXPECT_STREQ(a->Attribute("name"), "a.toml");
  EXPECT_EQ(a->IntAttribute("tests"), 2);
  EXPECT_EQ(a->IntAttribute("failures"), 0);
  EXPECT_EQ(a->IntAttribute("skipped"), 1);
  EXPECT_DOUBLE_EQ(a->DoubleAttribute("time"), 1.5);
  const auto* b = a->NextSiblingElement("testsuite");
  const auto* failure = b->FirstChildElement("testcase")->FirstChildElement("failure");
  ASSERT_NE(failure, nullptr);
  EXPECT_STREQ(failure->Attribute("message"), "exit code 3");
  EXPECT_STREQ(failure->GetText(), "PC 0");
}

TEST(Junit, WritesWhatXmlCannotHold) {
  const std::string xml =
      junit_xml({{"a", "run", Verdict::failed, 0, "<&\"\x1b[1m>", "\x01\xff]]>"}});
  tinyxml2::XMLDocument document;
  ASSERT_EQ(document.Parse(xml.c_str()), tinyxml2::XML_SUCCESS) << xml;
  const auto* failure = document.RootElement()
                            ->FirstChildElement("testsuite")
                            ->FirstChildElement("testcase")
                            ->FirstChildElement("failure");
  EXPECT_STREQ(failure->Attribute("message"), "<&\"\\x1b[1m>");
  EXPECT_STREQ(failure->GetText(), "\\x01\\xff]]>");
}

}  // namespace
}  // namespace trapline
