update articles set slug = replace(lower(title), ' ', '-') where slug is null;
