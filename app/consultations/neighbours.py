"""What slots and bookings know of the content: a condition and a category by key, and their names.

The two rooms do not import each other. These are the columns that they meet by, as the schema's foreign keys say.
"""

from sqlalchemy import Text, Uuid, column, table

conditions = table("conditions", column("id", Uuid), column("slug", Text), column("category_id", Uuid))
condition_pages = table("condition_pages", column("condition_id", Uuid), column("locale", Text), column("name", Text))
categories = table("categories", column("id", Uuid), column("slug", Text))
category_names = table("category_names", column("category_id", Uuid), column("locale", Text), column("name", Text))
